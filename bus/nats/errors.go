package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
)

// VersionError says that the server is too old.
type VersionError struct {
	Have, Need string
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("nats-server %s is too old: atomic batches need %s or later", e.Have, e.Need)
}

// PortError says that the embedded server cannot listen on its port.
type PortError struct {
	Addr string // host:port
	Err  error
}

func (e *PortError) Error() string {
	return fmt.Sprintf("embedded NATS cannot listen on %s: %v", e.Addr, e.Err)
}

// Unwrap gives the cause.
func (e *PortError) Unwrap() error { return e.Err }

// AuthError says that the server does not let us in.
type AuthError struct {
	URL string // without secrets
	Err error
}

func (e *AuthError) Error() string {
	return fmt.Sprintf("NATS at %s refuses our credentials: %v", e.URL, e.Err)
}

// Unwrap gives the cause.
func (e *AuthError) Unwrap() error { return e.Err }

// UnreachableError says that no server answered before the context ended.
type UnreachableError struct {
	URL string // without secrets
	Err error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("NATS at %s cannot be reached: %v", e.URL, e.Err)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Difference is one setting of a stream that is not as configured.
type Difference struct {
	Setting    string // as nats.go calls it in JSON
	Have, Want string
}

// ConfigError says that a stream is missing, or not as configured.
type ConfigError struct {
	Stream string
	// Missing says that there is none; else Differences lists what is different.
	Missing     bool
	Differences []Difference
}

func (e *ConfigError) Error() string {
	if e.Missing {
		return fmt.Sprintf("stream %q is missing", e.Stream)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "stream %q is not as configured:", e.Stream)
	for i, d := range e.Differences {
		if i > 0 {
			b.WriteByte(';')
		}
		fmt.Fprintf(&b, " %s is %s, not %s", d.Setting, d.Have, d.Want)
	}
	return b.String()
}

// The server's error codes that mean something of their own here.
const (
	codeClusterNotAvailable = jetstream.ErrorCode(10008)
	codeNotLeader           = jetstream.ErrorCode(10009)
	codeInsufficient        = jetstream.ErrorCode(10023)
	codeStorage             = jetstream.ErrorCode(10047)
	codeAccountLimit        = jetstream.ErrorCode(10002)
	codeMessageTooLarge     = jetstream.ErrorCode(10054)
	codeStreamMismatch      = jetstream.ErrorCode(10060)
	codeLastSequence        = jetstream.ErrorCode(10071)
	codeStoreFailed         = jetstream.ErrorCode(10077)
	codeHeadersTooLarge     = jetstream.ErrorCode(10097)
	codeSealed              = jetstream.ErrorCode(10109)
	codeIDInProcess         = jetstream.ErrorCode(10158)
	codeLastSequenceR3      = jetstream.ErrorCode(10164)
	codeTooManyRequests     = jetstream.ErrorCode(10167)
	codeNoAtomicBatches     = jetstream.ErrorCode(10174)
	codeBatchIncomplete     = jetstream.ErrorCode(10176)
	codeBatchTooLarge       = jetstream.ErrorCode(10199)
	codeBatchKnownID        = jetstream.ErrorCode(10201)
	codeTooManyBatches      = jetstream.ErrorCode(10210)
)

// code is the server's code in an error, 0 without one.
func code(err error) jetstream.ErrorCode {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.ErrorCode
	}
	return 0
}

// passing says that an error of JetStream's API is one that waiting may mend.
func passing(err error) bool {
	switch code(err) {
	case codeClusterNotAvailable, codeNotLeader, codeInsufficient, codeTooManyRequests:
		return true
	case 0:
		// No answer at all, unless it is ours or the server forbids it.
		var ce *ConfigError
		return !errors.As(err, &ce) && !errors.Is(err, context.Canceled) && !errors.Is(err, nats.ErrPermissionViolation) &&
			!errors.Is(err, nats.ErrConnectionClosed)
	}
	return false
}

// refusal says that a target refuses everything for now, and why, in words for
// people; nil when the error is no such thing.
func refusal(stream string, err error) error {
	text := ""
	switch code(err) {
	case jetstream.JSErrCodeStreamNotFound:
		text = "the stream is missing"
	case codeStreamMismatch:
		text = "another stream takes its subjects"
	case codeStoreFailed:
		text = "the stream is full, or cannot be written"
	case codeInsufficient, codeStorage, codeAccountLimit:
		text = "the server or the account has no room left"
	case codeSealed:
		text = "the stream is sealed"
	case codeNoAtomicBatches:
		text = "the stream does not allow atomic batches (allow_atomic)"
	case codeMessageTooLarge, codeHeadersTooLarge:
		text = "the stream takes smaller messages than it said"
	case jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount:
		text = "JetStream is switched off"
	default:
		switch {
		case errors.Is(err, nats.ErrPermissionViolation):
			text = "the server does not allow us to publish to it"
		case errors.Is(err, nats.ErrNoResponders):
			text = "the stream is missing, or JetStream is not up"
		default:
			return nil
		}
	}
	return &bus.TargetError{Target: bus.Target(stream), Err: fmt.Errorf("%s: %w", text, err)}
}
