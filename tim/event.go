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

// MessagesModified brings messages as they are after a change of what was said.
// Mirrors TIMMsgUpdateCallback.
type MessagesModified struct{ Messages []Message }

// MessagesRead says how far messages, or one-to-one talks, were read.
// Mirrors TIMMsgReadedReceiptCallback.
type MessagesRead struct{ Receipts []MessageReceipt }

// GroupTipped is what the members of a group are told of it, beside the stored
// message that says the same; of some groups and tips there is only one of the
// two. Mirrors TIMGroupTipsEventCallback.
type GroupTipped struct{ Tip GroupTipsElem }

// StatusesChanged says that users came online, went, or changed their words.
// Mirrors TIMUserStatusChangedCallback.
type StatusesChanged struct{ Statuses []UserStatus }

// ProfilesChanged brings changed profiles of others.
// Mirrors TIMUserInfoChangedCallback.
type ProfilesChanged struct{ Profiles []UserProfile }

// SelfProfileChanged brings the account's own profile after a change, here or
// on another device. Mirrors TIMSelfInfoUpdatedCallback.
type SelfProfileChanged struct{ Profile UserProfile }

// UploadProgress says how much of an element of a message being sent was
// uploaded. It needs no acknowledgement and is not repeated.
// Mirrors TIMMsgElemUploadProgressCallback.
type UploadProgress struct {
	Message     Message
	Index       uint32 // of the element in the message
	Done, Total uint32 // bytes
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

// Callback is TIMMsgUpdateCallback.
func (MessagesModified) Callback() string { return "TIMMsgUpdateCallback" }

// Callback is TIMMsgReadedReceiptCallback.
func (MessagesRead) Callback() string { return "TIMMsgReadedReceiptCallback" }

// Callback is TIMGroupTipsEventCallback.
func (GroupTipped) Callback() string { return "TIMGroupTipsEventCallback" }

// Callback is TIMUserStatusChangedCallback.
func (StatusesChanged) Callback() string { return "TIMUserStatusChangedCallback" }

// Callback is TIMUserInfoChangedCallback.
func (ProfilesChanged) Callback() string { return "TIMUserInfoChangedCallback" }

// Callback is TIMSelfInfoUpdatedCallback.
func (SelfProfileChanged) Callback() string { return "TIMSelfInfoUpdatedCallback" }

// Callback is TIMMsgElemUploadProgressCallback.
func (UploadProgress) Callback() string { return "TIMMsgElemUploadProgressCallback" }

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
		dst, err = appendList(dst, "json_msg_array", e.Messages)
	case MessagesRevoked:
		dst, err = appendList(dst, "json_msg_revoke_info_array", e.Locators)
	case MessagesModified:
		dst, err = appendList(dst, "json_msg_array", e.Messages)
	case MessagesRead:
		dst, err = appendList(dst, "json_msg_read_receipt_array", e.Receipts)
	case StatusesChanged:
		dst, err = appendList(dst, "json_user_status_array", e.Statuses)
	case ProfilesChanged:
		dst, err = appendList(dst, "json_user_info_array", e.Profiles)
	case SelfProfileChanged:
		dst, err = appendOne(dst, "json_user_profile", &e.Profile)
	case GroupTipped:
		dst, err = appendOne(dst, "json_group_tip", &e.Tip)
	case UploadProgress:
		if dst, err = appendOne(dst, "json_msg", &e.Message); err == nil {
			dst = fmt.Appendf(dst[:len(dst)-1], `,"index":%d,"cur_size":%d,"total_size":%d}`, e.Index, e.Done, e.Total)
		}
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
	if err != nil {
		return nil, err
	}
	return append(dst, '}'), nil
}

// appendList writes the arguments of a callback whose one argument is a list.
func appendList[T any, P interface {
	*T
	object
}](dst []byte, name string, list []T) ([]byte, error) {
	dst = append(append(append(dst, '{'), '"'), name...)
	dst = append(dst, `":[`...)
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendObject(dst, reflect.ValueOf(&list[i]).Elem(), P(&list[i])); err != nil {
			return nil, fmt.Errorf("tim: %s %d: %w", name, i, err)
		}
	}
	return append(dst, `]}`...), nil
}

// appendOne writes the arguments of a callback whose one argument is an object.
func appendOne[T any, P interface {
	*T
	object
}](dst []byte, name string, o P) ([]byte, error) {
	dst = append(append(append(dst, '{'), '"'), name...)
	dst, err := appendObject(append(dst, `":`...), reflect.ValueOf(o).Elem(), o)
	if err != nil {
		return nil, fmt.Errorf("tim: %s: %w", name, err)
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
	case MessagesModified{}.Callback():
		var e MessagesModified
		if !decodeArg(args, "json_msg_array", &e.Messages) {
			return nil
		}
		return e
	case MessagesRead{}.Callback():
		var e MessagesRead
		if !decodeArg(args, "json_msg_read_receipt_array", &e.Receipts) {
			return nil
		}
		return e
	case StatusesChanged{}.Callback():
		var e StatusesChanged
		if !decodeArg(args, "json_user_status_array", &e.Statuses) {
			return nil
		}
		return e
	case ProfilesChanged{}.Callback():
		var e ProfilesChanged
		if !decodeArg(args, "json_user_info_array", &e.Profiles) {
			return nil
		}
		return e
	case SelfProfileChanged{}.Callback():
		var e SelfProfileChanged
		if !decodeArg(args, "json_user_profile", &e.Profile) {
			return nil
		}
		return e
	case GroupTipped{}.Callback():
		var e GroupTipped
		if !decodeArg(args, "json_group_tip", &e.Tip) {
			return nil
		}
		return e
	case UploadProgress{}.Callback():
		var e UploadProgress
		if !decodeArg(args, "json_msg", &e.Message) || !decodeArg(args, "index", &e.Index) ||
			!decodeArg(args, "cur_size", &e.Done) || !decodeArg(args, "total_size", &e.Total) {
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
