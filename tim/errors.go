package tim

import (
	"errors"
	"strconv"
	"time"
)

// Code is an error code of the SDK or of the service; CodeOK is none.
type Code int32

// Effect says what an operation that returned an error did.
type Effect uint8

// The effects. An effect that is not known is never taken for one that is.
const (
	EffectUnknown Effect = iota // nobody knows whether it was done
	EffectNotDone               // it was refused, or never left
	EffectDone                  // it was done, though an error came back
)

// String gives the effect as a word.
func (e Effect) String() string {
	return word(int64(e), 0, "Effect", "unknown not_done done")
}

// Error is what an operation of a [Client] returns when it did not go well.
type Error struct {
	// Op is the operation: "login", "send", "create group".
	Op string
	// Code is the SDK's or the service's code; CodeOK where there is none,
	// and Err says what happened.
	Code Code
	// Desc is the service's own text, for people.
	Desc string
	// Effect says whether the operation was done.
	Effect Effect
	// RetryAfter is how long the service asks to wait, 0 where it does not say.
	RetryAfter time.Duration
	// Err is the cause below, nil where there is none.
	Err error
}

// NewError makes an error of a code, with the effect that the code implies.
// An empty desc becomes the code's text.
func NewError(op string, code Code, desc string) *Error {
	if desc == "" {
		desc = code.Text()
	}
	return &Error{Op: op, Code: code, Desc: desc, Effect: code.Effect()}
}

func (e *Error) Error() string {
	s := e.Op
	if s == "" {
		s = "im"
	}
	if e.Code != CodeOK {
		s += ": " + e.Code.String()
	}
	if e.Desc != "" {
		s += ": " + e.Desc
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same call, made again later, may go well.
func (e *Error) Retryable() bool { return e.Code.Retryable() }

// AsError finds the [*Error] in an error's chain.
func AsError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// CodeOf is the code of the [*Error] in an error's chain, CodeOK where there is none.
func CodeOf(err error) Code {
	if e, ok := AsError(err); ok {
		return e.Code
	}
	return CodeOK
}

// info is what is known of the code.
func (c Code) info() (codeInfo, bool) {
	info, ok := clientCodes[c]
	if !ok {
		info, ok = serverCodes[c]
	}
	return info, ok
}

// Name is the SDK's name of the code, "" where it is not known. Where only the
// server's documents have the code, the name is made in the same manner.
func (c Code) Name() string {
	info, _ := c.info()
	return info.name
}

// Text says in a few words what the code means, "" where it is not known.
func (c Code) Text() string {
	info, _ := c.info()
	return info.text
}

// Retryable reports whether the same call, made again later without a change,
// may go well. It does not say that repeating is safe: that is the effect.
func (c Code) Retryable() bool {
	info, _ := c.info()
	return info.flags&again != 0
}

// Effect is what can be said of an operation from the code alone: a refusal
// did nothing; after a timeout, a lost connection, a failure inside the
// service, or a code that is not known, nobody knows.
func (c Code) Effect() Effect {
	info, ok := c.info()
	switch {
	case c == CodeOK:
		return EffectDone
	case !ok || info.flags&unsure != 0:
		return EffectUnknown
	}
	return EffectNotDone
}

// String is the number and the name.
func (c Code) String() string {
	if name := c.Name(); name != "" {
		return strconv.Itoa(int(c)) + " " + name
	}
	return strconv.Itoa(int(c))
}
