package sandbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

// ErrClosed is the cause of what fails because the sandbox was closed.
var ErrClosed = errors.New("sandbox: closed")

// refuse is the error of a call that was refused and did nothing.
func refuse(op string, code tim.Code, format string, args ...any) *tim.Error {
	e := tim.NewError(op, code, fmt.Sprintf(format, args...))
	e.Effect = tim.EffectNotDone
	return e
}

// unanswered is the error of a call whose caller stopped waiting.
func unanswered(op string, ctx context.Context) *tim.Error {
	return &tim.Error{
		Op: op, Code: tim.CodeRequestTimeOut, Desc: "the answer did not come in time",
		Effect: tim.EffectUnknown, Err: context.Cause(ctx),
	}
}

// broken is the error of a call that met a failure of the sandbox itself.
func broken(op string, effect tim.Effect, err error) *tim.Error {
	return &tim.Error{
		Op: op, Code: tim.CodeSvrMsgInternalError1, Desc: "the sandbox cannot store anything",
		Effect: effect, Err: err,
	}
}
