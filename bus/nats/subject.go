package nats

import (
	"fmt"
	"path"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
)

// none stands in a subject where an event names no account, or has no subject.
// No escaped name is a lone tilde.
const none = "~"

const (
	typePrefix    = "io.timbridge."
	commandPrefix = "command."
	accountName   = "timaccount"
)

// route is where messages of one stream go.
type route struct {
	stream bus.Stream
	types  string // pattern over <family>.<what>; "" takes all
	StreamConfig
}

// routes lists where messages may go, in the order in which they are tried.
func routes(cfg *Config) []route {
	var rs []route
	for _, r := range cfg.Routes {
		rs = append(rs, route{bus.Events, r.Types, r.StreamConfig})
	}
	return append(rs,
		route{bus.Events, "", cfg.Events},
		route{bus.Commands, "", cfg.Commands},
		route{bus.Outcomes, "", cfg.Outcomes},
		route{bus.DeadLetters, "", cfg.DeadLetters})
}

// routeOf gives the route of an event of a stream, and its type's words.
func (b *Bus) routeOf(stream bus.Stream, e *event.Event) (*route, string, error) {
	words := typeWords(e.Type())
	for i := range b.routes {
		r := &b.routes[i]
		if r.stream != stream {
			continue
		}
		if r.types != "" {
			if ok, _ := path.Match(r.types, words); !ok {
				continue
			}
		}
		return r, words, nil
	}
	return nil, "", fmt.Errorf("no stream is called %q", stream)
}

// place gives the route and the subject of an event of a stream.
func (b *Bus) place(stream bus.Stream, e *event.Event) (*route, string, error) {
	r, words, err := b.routeOf(stream, e)
	if err != nil {
		return nil, "", err
	}
	return r, subject(stream, r.Subject, words, e), nil
}

// subject is the NATS subject of an event, below its stream's prefix.
func subject(stream bus.Stream, prefix, words string, e *event.Event) string {
	var s strings.Builder
	s.Grow(len(prefix) + len(words) + 48)
	s.WriteString(prefix)
	switch stream {
	case bus.Commands:
		s.WriteByte('.')
		writeToken(&s, account(e), true)
		writeWords(&s, strings.TrimPrefix(words, commandPrefix), '.')
	case bus.Outcomes:
		s.WriteByte('.')
		writeToken(&s, account(e), true)
		writeWords(&s, strings.TrimPrefix(words, commandPrefix), '.')
	case bus.DeadLetters:
		s.WriteByte('.')
		writeToken(&s, account(e), true)
	default:
		writeWords(&s, words, '.')
		writeWords(&s, e.Subject(), '/')
	}
	return s.String()
}

// typeWords is <family>.<what> of one of our types, and all of another's.
func typeWords(typ string) string {
	words, ours := strings.CutPrefix(typ, typePrefix)
	if !ours {
		return typ
	}
	if i := strings.LastIndex(words, ".v"); i >= 0 && isDigits(words[i+2:]) {
		words = words[:i]
	}
	return words
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// account is the event's timaccount, "" without one.
func account(e *event.Event) string {
	a, _ := extension(e, accountName)
	return a
}

func extension(e *event.Event, name string) (string, bool) {
	if c, ok := e.Context.(*event.EventContextV1); ok {
		s, ok := c.Extensions[name].(string)
		return s, ok
	}
	s, ok := e.Extensions()[name].(string)
	return s, ok
}

// writeWords writes each word as a token of its own.
func writeWords(s *strings.Builder, words string, sep byte) {
	for {
		word, rest, more := strings.Cut(words, string(sep))
		s.WriteByte('.')
		writeToken(s, word, false)
		if !more {
			return
		}
		words = rest
	}
}

// writeToken writes a token of a subject. An id is escaped as design.md's
// subjects escape ids (~HH per byte); a word that may be escaped already keeps
// its tildes, and loses only what NATS does not take.
func writeToken(s *strings.Builder, token string, id bool) {
	if token == "" {
		s.WriteString(none)
		return
	}
	for i := range len(token) {
		c := token[i]
		bad := c <= ' ' || c >= 0x7f || c == '.' || c == '*' || c == '>'
		if id {
			bad = bad || c == '/' || c == '~' || c == '%' || c == '$' || c == '"'
		}
		if !bad {
			s.WriteByte(c)
			continue
		}
		const hex = "0123456789ABCDEF"
		s.Write([]byte{'~', hex[c>>4], hex[c&15]})
	}
}

// checkPlace makes sure that a command lies on the subject of its own account
// and verb, because that subject is what the server's permissions see. An
// event without an account takes the subject's.
func (b *Bus) checkPlace(place string, e *event.Event) error {
	if b.cfg.LooseSubjects {
		return nil
	}
	rest, ok := strings.CutPrefix(place, b.cfg.Commands.Subject+".")
	if !ok {
		return fmt.Errorf("%w: subject %q is not below %q", bus.ErrNotAllowed, place, b.cfg.Commands.Subject)
	}
	token, verb, _ := strings.Cut(rest, ".")
	if account(e) == "" && token != none {
		id, ok := unescape(token)
		if !ok {
			return fmt.Errorf("%w: %q in subject %q is not an account", bus.ErrNotAllowed, token, place)
		}
		e.SetExtension(accountName, id)
	}
	want := subject(bus.Commands, b.cfg.Commands.Subject, typeWords(e.Type()), e)
	if want == place {
		return nil
	}
	wantToken, wantVerb, _ := strings.Cut(strings.TrimPrefix(want, b.cfg.Commands.Subject+"."), ".")
	if wantToken != token {
		return fmt.Errorf("%w: the event's timaccount is that of subject %q, it was published to %q", bus.ErrNotAllowed, want, place)
	}
	return fmt.Errorf("%w: the event's type belongs to %q, the subject says %q", bus.ErrNotAllowed, wantVerb, verb)
}

// unescape reads what writeToken wrote of an id.
func unescape(token string) (string, bool) {
	if !strings.Contains(token, "~") {
		return token, true
	}
	out := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		if token[i] != '~' {
			out = append(out, token[i])
			continue
		}
		if i+2 >= len(token) {
			return "", false
		}
		hi, lo := unhex(token[i+1]), unhex(token[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	return string(out), true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
