package nats

import (
	"fmt"
	"strings"
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
