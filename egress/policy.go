package egress

import (
	"strings"

	"github.com/timbridge/timbridge/mapping"
)

// Policy limits what a command may ask. An empty list allows everything, but
// that of MediaHosts; in a pattern "*" stands for any run of characters.
type Policy struct {
	// Accounts are patterns of user ids that commands may act as.
	Accounts []string
	// Conversations are patterns of subjects that commands may touch:
	// "c2c/*/bob", "group/team-*". A command without a conversation (group.create)
	// is not limited by them.
	Conversations []string
	// Verbs are patterns of commands in short: "message.send", "group.*".
	Verbs []string
	// MediaHosts are patterns of hosts that files of messages may be fetched
	// from: "files.example.com", "*.example.com"; with the port where it is not
	// the usual one. An empty list allows none, "*" any.
	MediaHosts []string
	// MediaPrivate says whether such a host may have an address that is not
	// public: the machine's own, a private network's.
	MediaPrivate bool
}

// check says what forbids a command, nil when nothing does.
func (p Policy) check(c *mapping.Command) *mapping.RejectError {
	forbid := func(field, what string) *mapping.RejectError {
		return &mapping.RejectError{
			Code: mapping.RejectNotAllowed, Field: field,
			Message: "the bridge's policy does not allow " + what,
		}
	}
	switch {
	case !allows(p.Accounts, string(c.Account)):
		return forbid(mapping.ExtAccount, "commands to act as "+string(c.Account))
	case !allows(p.Verbs, c.Verb()):
		return forbid("type", c.Verb())
	}
	if hasConversation(c) {
		if subject := mapping.Subject(c.Conversation, c.Account); !allows(p.Conversations, subject) {
			return forbid("", "commands in "+subject)
		}
	}
	if c.Send != nil {
		for _, m := range c.Send.Media {
			if m.URL == "" {
				continue
			}
			if _, err := p.mediaURL(m.URL); err != nil {
				return &mapping.RejectError{Code: mapping.CodeMediaNotAllowed, Field: m.Field(), Message: err.Error()}
			}
		}
	}
	return nil
}

func allows(patterns []string, s string) bool {
	for _, p := range patterns {
		if match(p, s) {
			return true
		}
	}
	return len(patterns) == 0
}

// match says whether s is what the pattern says, "*" being any run of characters.
func match(pattern, s string) bool {
	for {
		star := strings.IndexByte(pattern, '*')
		if star < 0 {
			return pattern == s
		}
		if !strings.HasPrefix(s, pattern[:star]) {
			return false
		}
		s, pattern = s[star:], pattern[star+1:]
		next := strings.IndexByte(pattern, '*')
		if next < 0 {
			return strings.HasSuffix(s, pattern)
		}
		// The first place where the part up to the next star fits leaves most for the rest.
		at := strings.Index(s, pattern[:next])
		if at < 0 {
			return false
		}
		s, pattern = s[at+next:], pattern[next:]
	}
}
