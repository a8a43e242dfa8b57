package bus

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Original is a message as it lay on the bus, before anything was made of it.
type Original struct {
	// Place is where it was published: the NATS subject, or the Kafka topic.
	Place string
	// Key is the Kafka key; nil where there is none.
	Key []byte
	// Headers are in the order of the bus; where the bus's client does not
	// keep an order (NATS), sorted by name. A name may come more than once.
	Headers []Header
	// Value is the payload; nil is a Kafka tombstone.
	Value []byte
}

// Header is one header of an [Original].
type Header struct {
	Name  string
	Value []byte
}

// Get returns the first value of a header, its name compared without case.
func (o *Original) Get(name string) (string, bool) {
	for i := range o.Headers {
		if strings.EqualFold(o.Headers[i].Name, name) {
			return string(o.Headers[i].Value), true
		}
	}
	return "", false
}

// EncodeOriginal writes a message as JSON, readable where its bytes are text
// (UTF-8) and base64 where they are not, so that nothing is lost:
//
//	{"place":"tim.commands.bot.message.send",
//	 "headers":[{"name":"ce-id","value":"1"}],
//	 "value":"…"}
//
// What is not text is in "key64", "name64" and "value64" instead.
func EncodeOriginal(o Original) []byte {
	size := len(o.Place) + len(o.Key) + len(o.Value) + len(o.Value)/8 + 64
	for i := range o.Headers {
		size += len(o.Headers[i].Name) + len(o.Headers[i].Value) + 24
	}
	b := make([]byte, 0, size)
	b = appendField(append(b, '{'), "place", []byte(o.Place))
	if o.Key != nil {
		b = appendField(append(b, ','), "key", o.Key)
	}
	if len(o.Headers) > 0 {
		b = append(b, `,"headers":[`...)
		for i := range o.Headers {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendField(append(b, '{'), "name", []byte(o.Headers[i].Name))
			b = appendField(append(b, ','), "value", o.Headers[i].Value)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	if o.Value != nil {
		b = appendField(append(b, ','), "value", o.Value)
	}
	return append(b, '}')
}

// appendField appends one JSON member, its value as text or as base64.
func appendField(b []byte, name string, value []byte) []byte {
	b = append(append(b, '"'), name...)
	if !utf8.Valid(value) {
		b = append(b, `64":"`...)
		b = base64.StdEncoding.AppendEncode(b, value)
		return append(b, '"')
	}
	b = append(b, `":"`...)
	from := 0
	for i, c := range value {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, value[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	b = append(b, value[from:]...)
	return append(b, '"')
}

type originalJSON struct {
	Place   *string `json:"place"`
	Place64 []byte  `json:"place64"`
	Key     *string `json:"key"`
	Key64   []byte  `json:"key64"`
	Headers []struct {
		Name    *string `json:"name"`
		Name64  []byte  `json:"name64"`
		Value   *string `json:"value"`
		Value64 []byte  `json:"value64"`
	} `json:"headers"`
	Value   *string `json:"value"`
	Value64 []byte  `json:"value64"`
}

// DecodeOriginal reads what [EncodeOriginal] wrote.
func DecodeOriginal(b []byte) (Original, error) {
	var in originalJSON
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return Original{}, fmt.Errorf("decode original: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Original{}, errors.New("decode original: more than one JSON value")
	}
	o := Original{
		Place: string(either(in.Place, in.Place64)),
		Key:   either(in.Key, in.Key64),
		Value: either(in.Value, in.Value64),
	}
	for _, h := range in.Headers {
		value := either(h.Value, h.Value64)
		if value == nil {
			value = []byte{}
		}
		o.Headers = append(o.Headers, Header{Name: string(either(h.Name, h.Name64)), Value: value})
	}
	return o, nil
}

func either(text *string, raw []byte) []byte {
	if text != nil {
		return []byte(*text)
	}
	return raw
}

// Digest is the SHA-256, in hex, of a message's headers, key and value: what a
// [Position] recognises its message by. The order of headers with different
// names does not count, since NATS clients do not keep it; that of values of
// the same name does.
func Digest(o *Original) string {
	headers := o.Headers
	if !slices.IsSortedFunc(headers, byName) {
		headers = slices.Clone(headers)
		slices.SortStableFunc(headers, byName)
	}
	h := sha256.New()
	var buf [4096]byte
	b := buf[:0]
	part := func(p []byte, present bool) {
		// Lengths keep ("ab","c") and ("a","bc") apart, and nil from empty.
		n := uint64(len(p)) + 1
		if !present {
			n = 0
		}
		b = binary.AppendUvarint(b, n)
		b = append(b, p...)
	}
	part(o.Key, o.Key != nil)
	b = binary.AppendUvarint(b, uint64(len(headers)))
	for i := range headers {
		part([]byte(headers[i].Name), true)
		part(headers[i].Value, true)
	}
	part(o.Value, o.Value != nil)
	h.Write(b)
	var sum [sha256.Size]byte
	return hex.EncodeToString(h.Sum(sum[:0]))
}

func byName(a, b Header) int { return strings.Compare(a.Name, b.Name) }
