package mapping

import (
	"errors"
	"fmt"
)

// RejectCode is the stable word for why a command was not accepted, or did
// not succeed for a reason of the bridge's own. Programs switch on it.
type RejectCode string

// The codes that [Commands.ToCommand] gives.
const (
	// RejectMalformed: not a CloudEvent, or an attribute that cannot be read.
	RejectMalformed RejectCode = "malformed"
	// RejectUnknownType: no command of that type exists.
	RejectUnknownType RejectCode = "unknown_type"
	// RejectAccountMissing: timaccount is not set and there is more than one account.
	RejectAccountMissing RejectCode = "account_missing"
	// RejectSchemaInvalid: the data does not fit the command's schema.
	RejectSchemaInvalid RejectCode = "schema_invalid"
	// RejectTooLarge: the command is larger than commands may be.
	RejectTooLarge RejectCode = "too_large"
	// RejectElementNotSendable: an element that cannot be sent, such as a group tip.
	RejectElementNotSendable RejectCode = "element_not_sendable"
)

// The codes that the rest of the bridge gives, here so that outcomes have one list.
const (
	// RejectIDReused: the same source and id came before with other content.
	RejectIDReused RejectCode = "id_reused"
	// RejectNotAllowed: the policy in the configuration forbids it, or it was
	// published where its publisher need not be allowed what it asks for.
	RejectNotAllowed RejectCode = "not_allowed"
	// RejectAccountUnknown: the account is not one of the bridge's.
	RejectAccountUnknown RejectCode = "account_unknown"
	// CodeExpired: its expirytime had passed, or it is older than the ledger reaches back.
	CodeExpired RejectCode = "expired"
	// CodeIMError: the IM service refused it; number, name and text say how.
	CodeIMError RejectCode = "im_error"
	// CodeInDoubt: nobody can tell whether it was done, so it is not repeated.
	CodeInDoubt RejectCode = "in_doubt"
	// CodeGaveUp: the IM service could not be reached for too long.
	CodeGaveUp RejectCode = "gave_up"
	// CodeAccountUnavailable: the account was kicked, refused or signed out for too long.
	CodeAccountUnavailable RejectCode = "account_unavailable"
	// CodeAccountBacklog: too many commands of an account that cannot act are waiting.
	CodeAccountBacklog RejectCode = "account_backlog"
	// CodeUnsupported: the IM driver cannot do it.
	CodeUnsupported RejectCode = "unsupported"
	// CodeMediaNotAllowed: a file of the message is on a host, or at an
	// address, that the policy in the configuration does not allow.
	CodeMediaNotAllowed RejectCode = "media_not_allowed"
	// CodeMediaTooLarge: a file of the message is larger than files may be.
	CodeMediaTooLarge RejectCode = "media_too_large"
	// CodeMediaUnreachable: a file of the message could not be fetched.
	CodeMediaUnreachable RejectCode = "media_unreachable"
)

// RejectError says why a command is not accepted, so that whoever sent it can
// mend it.
type RejectError struct {
	Code RejectCode
	// Message says what is wrong and what to do.
	Message string
	// Field is where: a JSON pointer into the data ("/elements/0/text"), or
	// the name of an attribute ("expirytime"); empty when it is the whole.
	Field string
}

func (e *RejectError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s at %s: %s", e.Code, e.Field, e.Message)
}

// AsReject finds the [RejectError] in an error.
func AsReject(err error) (*RejectError, bool) {
	var r *RejectError
	ok := errors.As(err, &r)
	return r, ok
}

func reject(code RejectCode, field, format string, args ...any) *RejectError {
	return &RejectError{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}
