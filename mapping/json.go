package mapping

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// JSON is written by appending: an object is opened with '{', each field
// leaves a comma behind, and the closing brace takes the last comma's place.

func appendKey(buf []byte, key string) []byte {
	buf = append(buf, '"')
	buf = append(buf, key...)
	return append(buf, '"', ':')
}

func appendStringField(buf []byte, key, value string) []byte {
	return append(appendString(appendKey(buf, key), value), ',')
}

// appendOptionalString leaves an empty value out.
func appendOptionalString(buf []byte, key, value string) []byte {
	if value == "" {
		return buf
	}
	return appendStringField(buf, key, value)
}

// appendOptionalUint leaves 0 out.
func appendOptionalUint(buf []byte, key string, value uint64) []byte {
	if value == 0 {
		return buf
	}
	return append(strconv.AppendUint(appendKey(buf, key), value, 10), ',')
}

// appendFlag writes true, and leaves false out.
func appendFlag(buf []byte, key string, value bool) []byte {
	if !value {
		return buf
	}
	return append(appendKey(buf, key), "true,"...)
}

// closeJSON ends an object or array: the last comma gives way to end.
func closeJSON(buf []byte, end byte) []byte {
	if buf[len(buf)-1] == ',' {
		buf[len(buf)-1] = end
		return buf
	}
	return append(buf, end)
}

// jsonPlain tells the bytes that stand for themselves in a JSON string.
func jsonPlain(c byte) bool { return c >= ' ' && c != '"' && c != '\\' }

// appendString writes s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, as encoding/json has it.
func appendString(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	if !utf8.ValidString(s) {
		s = string(bytes.ToValidUTF8([]byte(s), []byte("\uFFFD")))
	}
	buf = append(buf, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if jsonPlain(c) {
			continue
		}
		buf = append(buf, s[start:i]...)
		switch c {
		case '"', '\\':
			buf = append(buf, '\\', c)
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\r':
			buf = append(buf, '\\', 'r')
		case '\t':
			buf = append(buf, '\\', 't')
		default:
			buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		start = i + 1
	}
	buf = append(buf, s[start:]...)
	return append(buf, '"')
}

// appendRaw writes raw JSON without its white space; what is no JSON becomes a
// JSON string, so that it is kept whatever it is.
func appendRaw(buf []byte, raw []byte) []byte {
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return appendString(buf, string(raw))
	}
	return append(buf, compact.Bytes()...)
}

// rawOf is the keys that the SDK knows and we do not, as they were; nil when
// there are none. What is no JSON becomes a JSON string.
func rawOf(extra map[string]json.RawMessage) json.RawMessage {
	if len(extra) == 0 {
		return nil
	}
	buf := appendExtra(nil, extra)
	return buf[len(`"raw":`) : len(buf)-1]
}

// marshal is encoding/json without the escapes that only HTML needs.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
