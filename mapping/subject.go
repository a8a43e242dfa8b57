package mapping

import (
	"errors"
	"fmt"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

// The first words of subjects.
const (
	subjectC2C     = "c2c/"
	subjectGroup   = "group/"
	subjectAccount = "account/"
	subjectBridge  = "bridge/"
)

// NoAccountSubject is the subject of an outcome whose command did not say
// whose it is. No account is called "~": as an id it would be written "~7E".
const NoAccountSubject = subjectAccount + "~"

// Subject is the subject of what happens in a conversation as self sees it:
// "c2c/<user>/<user>" with the two sorted, so that it is the same from both
// sides, or "group/<group id>". A conversation that is neither belongs to the
// account alone: "account/<self>".
func Subject(conv tim.Conversation, self tim.UserID) string {
	switch conv.Type {
	case tim.ConvC2C:
		return c2cSubject(string(self), conv.ID)
	case tim.ConvGroup:
		return GroupSubject(tim.GroupID(conv.ID))
	}
	return AccountSubject(self)
}

// AccountSubject is "account/<user>".
func AccountSubject(user tim.UserID) string {
	return string(appendEscaped(append(make([]byte, 0, len(subjectAccount)+len(user)), subjectAccount...), string(user)))
}

// GroupSubject is "group/<group id>".
func GroupSubject(group tim.GroupID) string {
	return string(appendEscaped(append(make([]byte, 0, len(subjectGroup)+len(group)), subjectGroup...), string(group)))
}

func c2cSubject(a, b string) string {
	return string(appendC2CSubject(make([]byte, 0, len(subjectC2C)+len(a)+1+len(b)), a, b))
}

func appendC2CSubject(buf []byte, a, b string) []byte {
	if b < a {
		a, b = b, a
	}
	buf = append(buf, subjectC2C...)
	buf = appendEscaped(buf, a)
	buf = append(buf, '/')
	return appendEscaped(buf, b)
}

// EscapeID writes an id so that it can stand in a subject: printable ASCII
// stays, but space, . * > / ~ % $ " and every other byte become ~HH.
func EscapeID(id string) string {
	for i := range len(id) {
		if !plainInSubject(id[i]) {
			return string(appendEscaped(make([]byte, 0, len(id)+8), id))
		}
	}
	return id
}

func appendEscaped(buf []byte, id string) []byte {
	const hex = "0123456789ABCDEF"
	start := 0
	for i := range len(id) {
		c := id[i]
		if plainInSubject(c) {
			continue
		}
		buf = append(buf, id[start:i]...)
		buf = append(buf, '~', hex[c>>4], hex[c&15])
		start = i + 1
	}
	return append(buf, id[start:]...)
}

func plainInSubject(c byte) bool {
	if c <= ' ' || c > '~' {
		return false
	}
	switch c {
	case '.', '*', '>', '/', '~', '%', '$', '"':
		return false
	}
	return true
}

var errBadEscape = errors.New("is not written as an id in a subject")

// UnescapeID is the reverse of [EscapeID]. It takes only what EscapeID writes.
func UnescapeID(s string) (string, error) {
	tilde := strings.IndexByte(s, '~')
	if tilde < 0 {
		for i := range len(s) {
			if !plainInSubject(s[i]) {
				return "", fmt.Errorf("%q %w: byte %#02x must be ~%02X", s, errBadEscape, s[i], s[i])
			}
		}
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '~' {
			if !plainInSubject(c) {
				return "", fmt.Errorf("%q %w: byte %#02x must be ~%02X", s, errBadEscape, c, c)
			}
			out = append(out, c)
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("%q %w: ~ needs two hexadecimal digits after it", s, errBadEscape)
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi > 15 || lo > 15 {
			return "", fmt.Errorf("%q %w: ~ needs two upper-case hexadecimal digits after it", s, errBadEscape)
		}
		b := hi<<4 | lo
		if plainInSubject(b) {
			return "", fmt.Errorf("%q %w: ~%02X stands for a byte that needs no escape", s, errBadEscape, b)
		}
		out = append(out, b)
		i += 2
	}
	return string(out), nil
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// ParsedSubject is what a subject names: two users, a group, or an account.
type ParsedSubject struct {
	// Users are the two of a one-to-one talk, sorted; both empty otherwise.
	Users [2]tim.UserID
	// Group is the group's id, else empty.
	Group tim.GroupID
	// Account is the account's id, else empty.
	Account tim.UserID
}

// ParseSubject reads a subject that [Subject] or [AccountSubject] wrote.
func ParseSubject(subject string) (ParsedSubject, error) {
	if rest, ok := strings.CutPrefix(subject, subjectC2C); ok {
		a, b, ok := strings.Cut(rest, "/")
		if !ok {
			return ParsedSubject{}, fmt.Errorf("subject %q names one user where there are two", subject)
		}
		ua, err := UnescapeID(a)
		if err != nil {
			return ParsedSubject{}, fmt.Errorf("subject: %w", err)
		}
		ub, err := UnescapeID(b)
		if err != nil {
			return ParsedSubject{}, fmt.Errorf("subject: %w", err)
		}
		if ub < ua {
			return ParsedSubject{}, fmt.Errorf("subject %q: its two users are not sorted", subject)
		}
		return ParsedSubject{Users: [2]tim.UserID{tim.UserID(ua), tim.UserID(ub)}}, nil
	}
	if rest, ok := strings.CutPrefix(subject, subjectGroup); ok {
		g, err := UnescapeID(rest)
		if err != nil {
			return ParsedSubject{}, fmt.Errorf("subject: %w", err)
		}
		return ParsedSubject{Group: tim.GroupID(g)}, nil
	}
	if rest, ok := strings.CutPrefix(subject, subjectAccount); ok {
		u, err := UnescapeID(rest)
		if err != nil {
			return ParsedSubject{}, fmt.Errorf("subject: %w", err)
		}
		return ParsedSubject{Account: tim.UserID(u)}, nil
	}
	return ParsedSubject{}, fmt.Errorf("subject %q begins with neither %q, %q nor %q", subject, subjectC2C, subjectGroup, subjectAccount)
}
