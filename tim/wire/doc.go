// Package wire carries the contract of package tim over a WebSocket: a
// [Driver] here, a [Handler] there, and behind the handler any [tim.Driver].
package wire
