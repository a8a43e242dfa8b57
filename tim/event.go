package tim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

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
// An [Unrecognized] without a name is written as its Raw.
func MarshalEvent(e Event) ([]byte, error) {
	if e == nil {
		return nil, fmt.Errorf("tim: no event to marshal")
	}
	dst := append(appendString([]byte(`{"callback":`), e.Callback()), `,"args":`...)
	var err error
	switch e := e.(type) {
	case MessagesReceived:
		dst = append(dst, `{"json_msg_array":[`...)
		for i := range e.Messages {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendObject(dst, reflect.ValueOf(&e.Messages[i]).Elem(), &e.Messages[i]); err != nil {
				return nil, fmt.Errorf("tim: message %d: %w", i, err)
			}
		}
		dst = append(dst, `]}`...)
	case MessagesRevoked:
		dst = append(dst, `{"json_msg_revoke_info_array":[`...)
		for i := range e.Locators {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendObject(dst, reflect.ValueOf(&e.Locators[i]).Elem(), &e.Locators[i]); err != nil {
				return nil, fmt.Errorf("tim: locator %d: %w", i, err)
			}
		}
		dst = append(dst, `]}`...)
	case KickedOffline, UserSigExpired:
		dst = append(dst, `{}`...)
	case ConnectionChanged:
		dst = fmt.Appendf(dst, `{"status":%d,"code":%d,"desc":`, uint32(e.Status), int32(e.Code))
		dst = append(appendString(dst, e.Desc), '}')
	case Unrecognized:
		if e.Name == "" {
			dst = nil
		}
		if dst, err = appendRaw(dst, e.Raw); err != nil {
			return nil, fmt.Errorf("tim: unrecognized event %q: %w", e.Name, err)
		}
		if e.Name == "" {
			return dst, nil
		}
	default:
		return nil, fmt.Errorf("tim: an event of type %T", e)
	}
	return append(dst, '}'), nil
}

// UnmarshalEvent reads what [MarshalEvent] wrote. It fails only on what is not
// JSON: what is not known, or not understood, is [Unrecognized].
func UnmarshalEvent(data []byte) (Event, error) {
	if !json.Valid(data) {
		var v any
		return nil, fmt.Errorf("tim: event: %w", json.Unmarshal(data, &v))
	}
	data = bytes.TrimSpace(data)
	var name string
	var args []byte
	if data[0] == '{' {
		for key, value := range members(data) {
			switch {
			case string(key) == "callback" && value[0] == '"':
				name = unquote(value)
			case string(key) == "args":
				args = value
			default: // no envelope of ours
				return Unrecognized{Raw: bytes.Clone(data)}, nil
			}
		}
	}
	if name == "" || args == nil {
		return Unrecognized{Raw: bytes.Clone(data)}, nil
	}
	if e := decodeEvent(name, args); e != nil {
		return e, nil
	}
	return Unrecognized{Name: name, Raw: bytes.Clone(args)}, nil
}

// decodeEvent is the event of a callback, nil where it is not understood.
// Arguments that are not known are left out: a callback's are fixed by C.
func decodeEvent(name string, args []byte) Event {
	if args[0] != '{' {
		return nil
	}
	switch name {
	case MessagesReceived{}.Callback():
		var e MessagesReceived
		if !decodeArg(args, "json_msg_array", &e.Messages) {
			return nil
		}
		return e
	case MessagesRevoked{}.Callback():
		var e MessagesRevoked
		if !decodeArg(args, "json_msg_revoke_info_array", &e.Locators) {
			return nil
		}
		return e
	case KickedOffline{}.Callback():
		return KickedOffline{}
	case UserSigExpired{}.Callback():
		return UserSigExpired{}
	case ConnectionChanged{}.Callback():
		var e ConnectionChanged
		if !decodeArg(args, "status", &e.Status) || !decodeArg(args, "code", &e.Code) || !decodeArg(args, "desc", &e.Desc) {
			return nil
		}
		return e
	}
	return nil
}

// decodeArg sets what p points to to the argument, and says whether it is
// there and fits.
func decodeArg(args []byte, name string, p any) (ok bool) {
	v := reflect.ValueOf(p).Elem()
	for key, value := range members(args) {
		if string(key) == name {
			v.SetZero()
			ok = decodeValue(value, v, 0)
		}
	}
	return ok
}
