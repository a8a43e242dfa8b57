package tim

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"unicode/utf8"
)

// A scanner of JSON that is known to be valid.

// members yields the keys and values of an object, without quotes and space around.
func members(data []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for i := space(data, 1); data[i] != '}'; {
			end := skip(data, i)
			key := data[i+1 : end-1]
			if !verbatim(key) {
				key = []byte(unquote(data[i:end]))
			}
			i = space(data, space(data, end)+1) // past the colon
			end = skip(data, i)
			if !yield(key, data[i:end]) {
				return
			}
			if i = space(data, end); data[i] == ',' {
				i = space(data, i+1)
			}
		}
	}
}

// items yields the values of an array.
func items(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := space(data, 1); data[i] != ']'; {
			end := skip(data, i)
			if !yield(data[i:end]) {
				return
			}
			if i = space(data, end); data[i] == ',' {
				i = space(data, i+1)
			}
		}
	}
}

// space is the index of the first byte from i on that is not white space.
func space(data []byte, i int) int {
	for data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r' {
		i++
	}
	return i
}

// skip is the index after the value that begins at i.
func skip(data []byte, i int) int {
	switch data[i] {
	case '"':
		for i++; data[i] != '"'; i++ {
			if data[i] == '\\' {
				i++
			}
		}
		return i + 1
	case '{', '[':
		for depth := 0; ; i++ {
			switch data[i] {
			case '"':
				i = skip(data, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for ; i < len(data); i++ {
		switch data[i] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return i
		}
	}
	return i
}

// verbatim says that what stands between the quotes of a JSON string is the string.
func verbatim(body []byte) bool {
	for _, b := range body {
		if b == '\\' || b >= utf8.RuneSelf {
			return b != '\\' && bytes.IndexByte(body, '\\') < 0 && utf8.Valid(body)
		}
	}
	return true
}

// unquote is the string that a JSON string says.
func unquote(data []byte) string {
	if body := data[1 : len(data)-1]; verbatim(body) {
		return string(body)
	}
	var s string
	_ = json.Unmarshal(data, &s) // it is valid
	return s
}

// integer reads a whole number, also one written as 3.0 or 3e2.
func integer(data []byte) (int64, bool) {
	if n, err := strconv.ParseInt(string(data), 10, 64); err == nil {
		return n, true
	}
	n, ok := whole(data)
	return int64(n), ok
}

func unsigned(data []byte) (uint64, bool) {
	if n, err := strconv.ParseUint(string(data), 10, 64); err == nil {
		return n, true
	}
	n, ok := whole(data)
	return uint64(n), ok && n >= 0
}

// whole reads a whole number that is written as a fraction or with an
// exponent, as far as a float holds it exactly.
func whole(data []byte) (float64, bool) {
	if data[0] != '-' && (data[0] < '0' || data[0] > '9') {
		return 0, false
	}
	const exact = 1 << 53
	f, err := strconv.ParseFloat(string(data), 64)
	return f, err == nil && f > -exact && f < exact && f == float64(int64(f))
}

// kindOf names what a JSON value is.
func kindOf(data []byte) string {
	switch data[space(data, 0)] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	return "number"
}
