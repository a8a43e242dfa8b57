package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Version is the protocol version that this package speaks.
const Version = 1

// The kinds of frame, as their member "t" names them.
const (
	kindHello   = "hello"
	kindWelcome = "welcome"
	kindRefused = "refused"
	kindRequest = "req"
	kindReply   = "res"
	kindPart    = "part"
	kindCancel  = "cancel"
	kindReport  = "report"
	kindAck     = "ack"
	kindPing    = "ping"
	kindBye     = "bye"
)

// errFrame is wrapped by every error about a frame that breaks the protocol.
var errFrame = errors.New("frame breaks the protocol")

// span is an unbroken run of report numbers, both ends included.
type span struct{ first, last uint64 }

// frame is one frame, taken apart as far as routing needs it. Its slices point
// into the line that it was parsed from.
type frame struct {
	kind      string
	id        uint64
	op        string
	timeoutMS uint64
	body      []byte
	failure   []byte
	n         uint64
	number    uint64
	account   string
	out       bool
	event     []byte
	upto      uint64
	also      []span
	data      string // a piece of an answer
	bytes     uint64 // how many of them there were
}

// parseFrame takes a line apart. Members that it does not know are skipped, so
// that a later version may add some; the values of body, error and event are
// only delimited here and checked by whoever decodes them.
func parseFrame(line []byte) (frame, error) {
	var f frame
	err := eachMember(line, func(key, value []byte) (err error) {
		switch string(key) {
		case "t":
			f.kind, err = kindOf(value)
		case "id":
			f.id, err = uintOf(value)
		case "op":
			f.op, err = stringOf(value)
		case "timeout_ms":
			f.timeoutMS, err = uintOf(value)
		case "body":
			f.body = value
		case "error":
			f.failure = value
		case "n":
			f.n, err = uintOf(value)
		case "number":
			f.number, err = uintOf(value)
		case "account":
			f.account, err = stringOf(value)
		case "out":
			f.out, err = boolOf(value)
		case "event":
			f.event = value
		case "upto":
			f.upto, err = uintOf(value)
		case "also":
			f.also, err = spansOf(value)
		case "data":
			f.data, err = stringOf(value)
		case "bytes":
			f.bytes, err = uintOf(value)
		}
		if err != nil {
			return fmt.Errorf("member %q: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return frame{}, err
	}
	if f.kind == "" {
		return frame{}, fmt.Errorf("%w: it has no member \"t\"", errFrame)
	}
	return f, nil
}

// appendRequest appends a req frame and its line end.
func appendRequest(dst []byte, id uint64, op string, timeoutMS uint64, body []byte) []byte {
	dst = append(dst, `{"t":"req","id":`...)
	dst = strconv.AppendUint(dst, id, 10)
	dst = append(dst, `,"op":"`...)
	dst = append(dst, op...)
	dst = append(dst, '"')
	if timeoutMS > 0 {
		dst = append(dst, `,"timeout_ms":`...)
		dst = strconv.AppendUint(dst, timeoutMS, 10)
	}
	if len(body) > 0 {
		dst = append(dst, `,"body":`...)
		dst = append(dst, body...)
	}
	return append(dst, '}', '\n')
}

// appendReply appends a res frame that carries body, or failure where the
// request failed.
func appendReply(dst []byte, id uint64, body, failure []byte) []byte {
	dst = append(dst, `{"t":"res","id":`...)
	dst = strconv.AppendUint(dst, id, 10)
	if len(failure) > 0 {
		dst = append(dst, `,"error":`...)
		dst = append(dst, failure...)
	} else if len(body) > 0 {
		dst = append(dst, `,"body":`...)
		dst = append(dst, body...)
	}
	return append(dst, '}', '\n')
}

// appendCancel appends a cancel frame.
func appendCancel(dst []byte, id uint64) []byte {
	dst = append(dst, `{"t":"cancel","id":`...)
	dst = strconv.AppendUint(dst, id, 10)
	return append(dst, '}', '\n')
}

// reportOverhead is more than what appendReport adds to account and event.
const reportOverhead = 128

// appendReport appends a report frame.
func appendReport(dst []byte, n, number uint64, account string, out bool, event []byte) []byte {
	dst = append(dst, `{"t":"report","n":`...)
	dst = strconv.AppendUint(dst, n, 10)
	dst = append(dst, `,"number":`...)
	dst = strconv.AppendUint(dst, number, 10)
	dst = append(dst, `,"account":`...)
	dst = appendString(dst, account)
	if out {
		dst = append(dst, `,"out":true`...)
	}
	dst = append(dst, `,"event":`...)
	dst = append(dst, event...)
	return append(dst, '}', '\n')
}

// appendAck appends an ack frame.
func appendAck(dst []byte, upto uint64, also []span) []byte {
	dst = append(dst, `{"t":"ack","upto":`...)
	dst = strconv.AppendUint(dst, upto, 10)
	for i, s := range also {
		if i == 0 {
			dst = append(dst, `,"also":[[`...)
		} else {
			dst = append(dst, `,[`...)
		}
		dst = strconv.AppendUint(dst, s.first, 10)
		dst = append(dst, ',')
		dst = strconv.AppendUint(dst, s.last, 10)
		dst = append(dst, ']')
	}
	if len(also) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}', '\n')
}

// appendPing appends a ping frame.
func appendPing(dst []byte) []byte { return append(dst, `{"t":"ping"}`+"\n"...) }

// appendBye appends a bye frame.
func appendBye(dst []byte) []byte { return append(dst, `{"t":"bye"}`+"\n"...) }

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// oneLine returns value without line ends, which JSON allows between tokens
// and frames do not.
func oneLine(value []byte) ([]byte, error) {
	if bytes.IndexByte(value, '\n') < 0 {
		return value, nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}

// marshal is json.Marshal for a value whose own MarshalJSON can be trusted to
// give valid JSON: it is not read through a second time.
func marshal(value any) ([]byte, error) {
	m, ok := value.(json.Marshaler)
	if !ok {
		return json.Marshal(value)
	}
	b, err := m.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return oneLine(b)
}

// unmarshal is json.Unmarshal without reading twice what decodes itself.
func unmarshal(data []byte, into any) error {
	if u, ok := into.(json.Unmarshaler); ok {
		return u.UnmarshalJSON(data)
	}
	return json.Unmarshal(data, into)
}
