// Package wire carries the contract of package tim over a WebSocket: a
// [Driver] on this side, a [Handler] on the other, and behind the handler any
// [tim.Driver]. PROTOCOL.md describes what passes between them.
//
// # Requests
//
// Requests are pipelined over one connection. One that was not written when
// the connection broke, or that finds none, is not done; one that may have
// been written and whose answer never came has an unknown effect, as has one
// whose context ended meanwhile. Nothing is repeated: that is the owner's to
// decide.
//
// # Sessions
//
// The client keeps its connection up by itself, with pauses that double. What
// the server holds for it, the session, outlives connections for a time of
// grace: the account stays signed in, and reports go on where they had
// stopped. When the server has lost the session, because it was started anew
// or the grace is over, the client opens a new one and signs in with the last
// UserSig that was good, until the service refuses. The owner hears of it by
// reports of the client's own, whose Number is 0:
//
//   - [tim.ConnectionChanged] with Disconnected, when the connection broke;
//     until Connected, requests fail with [ErrConnection].
//   - ConnectFailed, with the code, when an attempt to connect or to sign in
//     went wrong, told again when the code changes. The attempts go on.
//   - Connected, when the account is as it was: in the same session, or signed
//     in anew. Subscriptions to statuses, and the account's own words, are then
//     made again.
//   - When the service refused to sign in: ConnectFailed with its code, and
//     then [tim.KickedOffline] (6208) or [tim.UserSigExpired] (6206, 70001).
//     There are no further attempts. RenewUserSig signs an expired account in,
//     Login any.
//
// # Reports
//
// A report is kept by the server until the owner's Ack has come back; Ack only
// takes a note, and notes are written together. In one session each report
// comes once, in order. In a new session, what was not acknowledged comes
// again as far as the service keeps it, with the same number where the service
// has numbers of its own; acknowledgements of the old session mean nothing
// then. When the handler does not keep up, the server makes the driver wait.
// Without a handler, reports wait for one.
//
// Neither Logout nor Close may be called by the handler: both wait for it.
package wire
