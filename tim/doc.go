// Package tim is the SDK of Tencent Cloud IM (chat) for Go: what a client of
// the service can do, and everything it sends and is told, as Go types. It
// speaks to nobody: a driver does. tim/wire is one over a WebSocket, tim/sandbox
// a whole service for development, and tim/timtest the contract as a test suite
// that every driver passes.
//
// A [Driver] opens a [Client]; the client is given its handler with Listen
// before Login, so that what arrived offline is not missed. A message is a
// list of elements ([Elem]), sent to a [Conversation]: a user ([C2C]) or a
// group ([Group]). What only some drivers can do is an interface of its own,
// found by type assertion: [Resender], [History], [Modifier], [Eraser], [Reader],
// [BatchSender], [Groups], [Profiles], [Presence], [Uploader].
//
// A picture, a sound, a file or a film is sent by the path of a file, which Send
// uploads first; the element that is received has URLs that download it.
//
// # JSON
//
// The types marshal to exactly the SDK's JSON, by the keys of its C interface,
// and nothing is lost in a round trip: keys that are not known, and values of
// another type than documented, are kept in Extra; an element that is not
// known is an [UnknownElem]; an event, [Unrecognized]. A zero is written where
// it was read. What the SDK's own documents get wrong is understood: roles
// given as role flags, elements with another elem_type than their keys say.
// A string that is not Unicode is the one exception: U+FFFD stands for what
// cannot be decoded.
//
// # Errors
//
// Every operation that did not go well returns an [*Error]: the [Code] with
// its name and text, whether a later retry can help, and the [Effect]: done,
// not done, or unknown. An unknown effect is to be settled before the
// operation is repeated.
package tim
