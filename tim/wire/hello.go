package wire

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// hello is the first frame on a connection, from the client.
type hello struct {
	T       string `json:"t"`
	Version int    `json:"version"`
	// Session and Received are set when the client had a session: its id, and
	// the last report of it that has arrived.
	Session  string `json:"session,omitempty"`
	Received uint64 `json:"received,omitempty"`

	SDKAppID   uint32          `json:"sdkappid"`
	Config     json.RawMessage `json:"config,omitempty"`
	MaxMessage int             `json:"max_message"`
	// MaxAnswer is the longest body of an answer that the client takes in
	// pieces; 0: none.
	MaxAnswer   int   `json:"max_answer,omitempty"`
	HeartbeatMS int64 `json:"heartbeat_ms"`
}

// welcome is the server's answer to a hello that it takes.
type welcome struct {
	T       string `json:"t"`
	Version int    `json:"version"`
	Session string `json:"session"`
	// Resumed says that the session is the one that the hello named.
	Resumed bool `json:"resumed,omitempty"`
	// Capabilities are the optional interfaces of the client that the server
	// holds.
	Capabilities []string `json:"capabilities,omitempty"`
	// ResendWindowMS has the window of each conversation type that has one.
	ResendWindowMS map[tim.ConvType]int64 `json:"resend_window_ms,omitempty"`
	// Redelivers says that the service keeps a report until it is acknowledged.
	Redelivers bool `json:"redelivers,omitempty"`

	MaxMessage  int   `json:"max_message"`
	MaxInFlight int   `json:"max_in_flight"`
	MaxUnacked  int   `json:"max_unacked"`
	HeartbeatMS int64 `json:"heartbeat_ms"`
}

// The codes of a refused frame.
const (
	refusedVersion   = "version"
	refusedHello     = "bad_hello"
	refusedOpen      = "open_failed"
	refusedBusy      = "too_many_sessions"
	refusedDisplaced = "displaced"
)

// refused is the server's answer to a hello that it does not take, and the
// last frame on the connection.
type refused struct {
	T    string `json:"t"`
	Code string `json:"code"`
	Desc string `json:"desc"`
	// Version is the protocol version of the server.
	Version int `json:"version"`
	// Error is why the driver did not open a client.
	Error *wireError `json:"error,omitempty"`
}

// parseHello checks a hello; on an error its Version is still set, as far as
// it could be read.
func parseHello(line []byte) (hello, *refused) {
	var version struct {
		T       string `json:"t"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(line, &version); err != nil || version.T != kindHello {
		return hello{}, refusal(refusedHello, "the first frame is not a hello")
	}
	if version.Version != Version {
		return hello{}, refusal(refusedVersion, fmt.Sprintf(
			"this server speaks version %d of the protocol, the client version %d", Version, version.Version))
	}
	var h hello
	if err := json.Unmarshal(line, &h); err != nil {
		return hello{}, refusal(refusedHello, "the hello cannot be decoded")
	}
	if desc := checkLimits(h.MaxMessage, h.HeartbeatMS); desc != "" {
		return hello{}, refusal(refusedHello, desc)
	}
	return h, nil
}

func parseWelcome(line []byte) (welcome, error) {
	var w welcome
	if err := json.Unmarshal(line, &w); err != nil {
		return welcome{}, fmt.Errorf("%w: the welcome: %w", errFrame, err)
	}
	if w.Version != Version {
		return welcome{}, fmt.Errorf("%w: this client speaks %d, the server %d", ErrVersion, Version, w.Version)
	}
	if desc := checkLimits(w.MaxMessage, w.HeartbeatMS); desc != "" {
		return welcome{}, fmt.Errorf("%w: the welcome: %s", errFrame, desc)
	}
	if w.Session == "" || w.MaxInFlight <= 0 || w.MaxUnacked <= 0 {
		return welcome{}, fmt.Errorf("%w: the welcome lacks a session or a limit", errFrame)
	}
	return w, nil
}

func checkLimits(maxMessage int, heartbeatMS int64) string {
	if maxMessage < minMaxMessage {
		return fmt.Sprintf("max_message is below %d", minMaxMessage)
	}
	if heartbeatMS <= 0 || heartbeatMS > maxHeartbeat.Milliseconds() {
		return fmt.Sprintf("heartbeat_ms is not between 1 and %d", maxHeartbeat.Milliseconds())
	}
	return ""
}

func refusal(code, desc string) *refused {
	return &refused{T: kindRefused, Code: code, Desc: desc, Version: Version}
}

// silence is how long a peer with that heartbeat may say nothing.
func silence(heartbeatMS int64) time.Duration {
	return silentBeats * time.Duration(heartbeatMS) * time.Millisecond
}

// milliseconds rounds up, so that what is there does not become nothing.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
