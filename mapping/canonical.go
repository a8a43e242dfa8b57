package mapping

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// appendCanonical writes a decoded JSON value so that two texts of the same
// value give the same bytes: no white space, keys sorted, one way to write
// every string and number. Numbers must be [json.Number].
func appendCanonical(buf []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(buf, "null"...)
	case bool:
		return strconv.AppendBool(buf, v)
	case json.Number:
		return appendCanonicalNumber(buf, v.String())
	case string:
		return appendString(buf, v)
	case []any:
		buf = append(buf, '[')
		for _, item := range v {
			buf = append(appendCanonical(buf, item), ',')
		}
		return closeJSON(buf, ']')
	case map[string]any:
		buf = append(buf, '{')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			buf = append(appendString(buf, key), ':')
			buf = append(appendCanonical(buf, v[key]), ',')
		}
		return closeJSON(buf, '}')
	}
	return appendString(buf, "")
}

// maxExact is the size below which a float64 holds every integer.
const maxExact = 1 << 53

// appendCanonicalNumber writes 17, 17.0 and 1.7e1 alike. An integer written
// out keeps all its digits, however many; what a float64 cannot hold stays as
// it was written.
func appendCanonicalNumber(buf []byte, n string) []byte {
	if !strings.ContainsAny(n, ".eE") {
		if n == "-0" {
			n = "0"
		}
		return append(buf, n...)
	}
	f, err := strconv.ParseFloat(n, 64)
	if err != nil {
		return append(buf, n...)
	}
	if f == math.Trunc(f) && math.Abs(f) < maxExact {
		return strconv.AppendInt(buf, int64(f), 10)
	}
	return strconv.AppendFloat(buf, f, 'e', -1, 64)
}
