package wire

import (
	"encoding/json"
	"fmt"
	"math"
)

// eachMember calls fn for the members of a JSON object, in their order. It
// finds where values begin and end without building anything from them, which
// is what makes a frame cheap: its payload is read through once here and once
// by its decoder. It does not check what is inside a nested value.
func eachMember(object []byte, fn func(key, value []byte) error) error {
	i := skipSpace(object, 0)
	if i == len(object) || object[i] != '{' {
		return fmt.Errorf("%w: it is not an object", errFrame)
	}
	i = skipSpace(object, i+1)
	if i < len(object) && object[i] == '}' {
		return atEnd(object, i+1)
	}
	for {
		end, err := stringEnd(object, i)
		if err != nil {
			return err
		}
		key := object[i+1 : end-1]
		if i = skipSpace(object, end); i == len(object) || object[i] != ':' {
			return fmt.Errorf("%w: no colon after member %q", errFrame, key)
		}
		i = skipSpace(object, i+1)
		if end, err = valueEnd(object, i); err != nil {
			return err
		}
		if err := fn(key, object[i:end]); err != nil {
			return err
		}
		if i = skipSpace(object, end); i == len(object) {
			return fmt.Errorf("%w: it ends inside the object", errFrame)
		}
		switch object[i] {
		case '}':
			return atEnd(object, i+1)
		case ',':
			i = skipSpace(object, i+1)
		default:
			return fmt.Errorf("%w: %q after member %q", errFrame, object[i], key)
		}
	}
}

func atEnd(b []byte, i int) error {
	if skipSpace(b, i) != len(b) {
		return fmt.Errorf("%w: something follows the object", errFrame)
	}
	return nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// stringEnd returns the index after the string that begins at i.
func stringEnd(b []byte, i int) (int, error) {
	if i >= len(b) || b[i] != '"' {
		return 0, fmt.Errorf("%w: a string is missing", errFrame)
	}
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1, nil
		case '\\':
			i++
		}
	}
	return 0, fmt.Errorf("%w: it ends inside a string", errFrame)
}

// valueEnd returns the index after the value that begins at i.
func valueEnd(b []byte, i int) (int, error) {
	if i >= len(b) {
		return 0, fmt.Errorf("%w: a value is missing", errFrame)
	}
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		for depth := 0; i < len(b); i++ {
			switch b[i] {
			case '"':
				end, err := stringEnd(b, i)
				if err != nil {
					return 0, err
				}
				i = end - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1, nil
				}
			}
		}
		return 0, fmt.Errorf("%w: it ends inside a value", errFrame)
	}
	start := i
	for i < len(b) && scalarByte(b[i]) {
		i++
	}
	if i == start {
		return 0, fmt.Errorf("%w: %q where a value should be", errFrame, b[i])
	}
	return i, nil
}

// scalarByte reports whether c can be part of a number or a literal.
func scalarByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

func uintOf(value []byte) (uint64, error) {
	if len(value) == 0 || len(value) > 20 || value[0] == '0' && len(value) > 1 {
		return 0, fmt.Errorf("%w: not a whole number", errFrame)
	}
	var n uint64
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%w: not a whole number", errFrame)
		}
		d := uint64(c - '0')
		if n > (math.MaxUint64-d)/10 {
			return 0, fmt.Errorf("%w: a number too large", errFrame)
		}
		n = n*10 + d
	}
	return n, nil
}

func boolOf(value []byte) (bool, error) {
	switch string(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%w: neither true nor false", errFrame)
}

func stringOf(value []byte) (string, error) {
	plain := len(value) >= 2 && value[0] == '"'
	for i := 1; plain && i < len(value)-1; i++ {
		plain = value[i] >= ' ' && value[i] < 0x7f && value[i] != '\\'
	}
	if plain {
		return string(value[1 : len(value)-1]), nil
	}
	var s string
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return "", fmt.Errorf("%w: not a string", errFrame)
	}
	return s, nil
}

// kindOf is stringOf without an allocation for the kinds there are.
func kindOf(value []byte) (string, error) {
	switch string(value) {
	case `"report"`:
		return kindReport, nil
	case `"res"`:
		return kindReply, nil
	case `"req"`:
		return kindRequest, nil
	case `"ack"`:
		return kindAck, nil
	case `"ping"`:
		return kindPing, nil
	}
	return stringOf(value)
}

// maxSpans is how many spans one ack frame may hold.
const maxSpans = 256

func spansOf(value []byte) ([]span, error) {
	var pairs [][2]uint64
	if err := json.Unmarshal(value, &pairs); err != nil {
		return nil, fmt.Errorf("%w: not a list of pairs", errFrame)
	}
	if len(pairs) > maxSpans {
		return nil, fmt.Errorf("%w: more than %d spans", errFrame, maxSpans)
	}
	spans := make([]span, len(pairs))
	for i, p := range pairs {
		if p[0] > p[1] {
			return nil, fmt.Errorf("%w: a span that ends before it begins", errFrame)
		}
		spans[i] = span{p[0], p[1]}
	}
	return spans, nil
}
