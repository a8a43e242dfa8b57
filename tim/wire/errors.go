package wire

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// The causes that a [tim.Error] of this package wraps, beside those of the
// network and of the far side's driver.
var (
	// ErrVersion means that the server speaks another version of the protocol.
	ErrVersion = errors.New("wire: the protocol versions differ")
	// ErrUnauthorized means that the server does not take the token.
	ErrUnauthorized = errors.New("wire: the server does not take the token")
	// ErrBusy means that the server holds as many connections or sessions as it may.
	ErrBusy = errors.New("wire: the server takes no more connections")
	// ErrConnection means that there is no connection, or that it broke.
	ErrConnection = errors.New("wire: no connection to the server")
	// ErrTooLarge means that a request or its answer is longer than the other
	// side takes.
	ErrTooLarge = errors.New("wire: the message is too large")
	// ErrClosed means that the client was closed.
	ErrClosed = errors.New("wire: the client is closed")
	// ErrInFlight means that the server carries out as many requests of the
	// session as it may.
	ErrInFlight = errors.New("wire: too many requests in flight")
	// ErrUnsupported means that the server does not know the operation, or
	// that its driver cannot do it.
	ErrUnsupported = errors.New("wire: the server cannot do that")
)

// wireError is a [tim.Error] as it crosses the wire.
type wireError struct {
	Op           string   `json:"op,omitempty"`
	Code         tim.Code `json:"code"`
	Desc         string   `json:"desc,omitempty"`
	Effect       string   `json:"effect"`
	RetryAfterMS int64    `json:"retry_after_ms,omitempty"`
	Cause        string   `json:"cause,omitempty"`
	// CauseKind names a cause that Go programs test for with errors.Is.
	CauseKind string `json:"cause_kind,omitempty"`
}

// causes are the errors that keep their identity on their way.
var causes = []struct {
	kind string
	err  error
}{
	{"canceled", context.Canceled},
	{"deadline", context.DeadlineExceeded},
	{"too_large", ErrTooLarge},
	{"in_flight", ErrInFlight},
	{"unsupported", ErrUnsupported},
}

// toWire makes any error ready for the wire. One that is not a [tim.Error]
// says nothing of its effect, so the effect is unknown.
func toWire(op string, err error) *wireError {
	e, ok := tim.AsError(err)
	if !ok {
		e = &tim.Error{Code: tim.CodeSDKInternalError, Err: err}
	}
	w := &wireError{
		Op: e.Op, Code: e.Code, Desc: e.Desc, Effect: e.Effect.String(),
		RetryAfterMS: milliseconds(e.RetryAfter),
	}
	if w.Op == "" {
		w.Op = opName(op)
	}
	if e.Err != nil {
		w.Cause = e.Err.Error()
		for _, c := range causes {
			if errors.Is(e.Err, c.err) {
				w.CauseKind = c.kind
				break
			}
		}
	}
	return w
}

// fromWire is the reverse of toWire. An effect that it does not know is
// unknown.
func (w *wireError) fromWire() *tim.Error {
	e := &tim.Error{
		Op: w.Op, Code: w.Code, Desc: w.Desc,
		RetryAfter: time.Duration(w.RetryAfterMS) * time.Millisecond,
	}
	switch w.Effect {
	case tim.EffectNotDone.String():
		e.Effect = tim.EffectNotDone
	case tim.EffectDone.String():
		e.Effect = tim.EffectDone
	}
	if w.Cause == "" {
		return e
	}
	far := &farError{text: w.Cause}
	for _, c := range causes {
		if c.kind == w.CauseKind {
			far.is = c.err
		}
	}
	e.Err = far
	return e
}

// farError is a cause that happened on the far side.
type farError struct {
	text string
	is   error
}

func (e *farError) Error() string { return e.text }

func (e *farError) Unwrap() error { return e.is }

// decodeFailure reads the error of a reply.
func decodeFailure(op string, failure []byte) error {
	var w wireError
	if err := json.Unmarshal(failure, &w); err != nil {
		return &tim.Error{Op: opName(op), Code: tim.CodeSDKNetDecodeFailed, Err: err}
	}
	return w.fromWire()
}

// opName is an operation as errors name it.
func opName(op string) string { return strings.ReplaceAll(op, "_", " ") }

// notDone is an error of an operation that was not carried out.
func notDone(op string, code tim.Code, cause error) *tim.Error {
	return &tim.Error{Op: opName(op), Code: code, Effect: tim.EffectNotDone, Err: cause}
}

// unknown is an error of an operation that may have been carried out.
func unknown(op string, code tim.Code, cause error) *tim.Error {
	return &tim.Error{Op: opName(op), Code: code, Effect: tim.EffectUnknown, Err: cause}
}

// contextCode is the code for a request whose context ended: sent or not.
func contextCode(cause error, sent bool) tim.Code {
	switch {
	case !errors.Is(cause, context.DeadlineExceeded):
		return tim.CodeUserCanceled
	case sent:
		return tim.CodeSDKNetWaitAckTimeout
	default:
		return tim.CodeSDKNetWaitSendTimeout
	}
}

// connectCode is the code for an attempt to connect that did not go well.
func connectCode(err error) tim.Code {
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, ErrUnauthorized):
		return tim.CodeSDKNetAuthInvalid
	case errors.Is(err, ErrVersion):
		return tim.CodeSDKInterfaceNotSupport
	case errors.Is(err, ErrBusy):
		return tim.CodeSDKNetConnRefuse
	case errors.Is(err, syscall.ECONNREFUSED):
		return tim.CodeSDKNetConnRefuse
	case errors.As(err, &dns):
		return tim.CodeSDKNetHostGetAddrInfoFailed
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return tim.CodeSDKNetConnTimeout
	default:
		return tim.CodeSDKNetDisconnect
	}
}
