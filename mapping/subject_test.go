package mapping_test

import (
	"strings"
	"testing"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

func TestEscapeID(t *testing.T) {
	for id, want := range map[string]string{
		"":                          "",
		"alice":                     "alice",
		"@TGS#2J4SZEAEL":            "@TGS#2J4SZEAEL",
		"a.b*c>d/e~f":               "a~2Eb~2Ac~3Ed~2Fe~7Ef",
		`%$"`:                       "~25~24~22",
		" \t\x7f\x00":               "~20~09~7F~00",
		"群":                         "~E7~BE~A4",
		"a!&'()+,-:;<=?@[\\]^_`{|}": "a!&'()+,-:;<=?@[\\]^_`{|}",
	} {
		if got := mapping.EscapeID(id); got != want {
			t.Errorf("%q is written %q, want %q", id, got, want)
		}
		if got, err := mapping.UnescapeID(want); err != nil || got != id {
			t.Errorf("%q is read as %q, %v", want, got, err)
		}
	}
	for _, bad := range []string{"a.b", "a b", "~", "~2", "~2f", "~GG", "~41", "é", "a/b", "~7e"} {
		if got, err := mapping.UnescapeID(bad); err == nil {
			t.Errorf("%q is read as %q", bad, got)
		}
	}
}

func TestSubject(t *testing.T) {
	for _, tt := range []struct {
		conv tim.Conversation
		self tim.UserID
		want string
	}{
		{tim.C2C("bob"), "alice", "c2c/alice/bob"},
		{tim.C2C("alice"), "bob", "c2c/alice/bob"},
		{tim.C2C("alice"), "alice", "c2c/alice/alice"},
		{tim.C2C("a.b"), "a-c", "c2c/a-c/a~2Eb"},
		{tim.Group("@TGS#1"), "alice", "group/@TGS#1"},
		{tim.Conversation{Type: tim.ConvSystem}, "alice", "account/alice"},
		{tim.Conversation{}, "a b", "account/a~20b"},
	} {
		got := mapping.Subject(tt.conv, tt.self)
		if got != tt.want {
			t.Errorf("%v of %s: %s, want %s", tt.conv, tt.self, got, tt.want)
		}
		p, err := mapping.ParseSubject(got)
		if err != nil {
			t.Error(err)
		}
		switch tt.conv.Type {
		case tim.ConvC2C:
			if string(p.Users[0]) != tt.conv.ID && string(p.Users[1]) != tt.conv.ID {
				t.Errorf("%+v", p)
			}
		case tim.ConvGroup:
			if string(p.Group) != tt.conv.ID {
				t.Errorf("%+v", p)
			}
		default:
			if p.Account != tt.self {
				t.Errorf("%+v", p)
			}
		}
	}
	for _, bad := range []string{"", "alice", "c2c/alice", "c2c/bob/alice", "c2c/a/b/c", "c2c/a b/c", "group/a.b", "account/~", "bridge/x"} {
		if p, err := mapping.ParseSubject(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, p)
		}
	}
}

func TestMessageID(t *testing.T) {
	group := tim.Message{ConvType: tim.ConvGroup, ConvID: "a/b", Sender: "al.ice", Rand: 7, ServerTime: at}
	stored := group
	stored.Seq = 45
	for _, tt := range []struct {
		m    tim.Message
		want string
	}{
		{c2cMessage(), "c2c/alice/bridge/7/3141592653/1795420800"},
		{stored, "group/a~2Fb/45"},
		{group, "group/a~2Fb/online/al~2Eice/7/1795420800"},
		{tim.Message{ConvType: tim.ConvGroup}, ""},
		{tim.Message{ConvType: tim.ConvC2C}, ""},
		{tim.Message{ConvType: tim.ConvSystem, ConvID: "x"}, ""},
		{tim.Message{ConvType: 9, ConvID: "x"}, ""},
	} {
		got := mapping.MessageID("bridge", tt.m)
		if got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
		if got == "" {
			continue
		}
		p, err := mapping.ParseMessageID(got)
		if err != nil {
			t.Error(err)
		}
		if p.Seq != tt.m.Seq || tt.m.Seq == 0 && p.Sender != tt.m.Sender || tt.m.ConvType == tim.ConvGroup && string(p.Group) != tt.m.ConvID {
			t.Errorf("%q is read as %+v", got, p)
		}
	}
	for _, bad := range []string{
		"", "x", "c2c/a/b/1/2", "c2c/b/a/1/2/3", "c2c/a/b/1/2/x", "c2c/a/b/01/2/3", "group/g", "group/g/0", "group/g/-1", "group/g/1/revoked",
		"group/a b/1", "group/g/online/a/1", "group/g/online/a b/1/2", "group/g/online/a/1/x", "group/g/45/tip/0/1",
	} {
		if p, err := mapping.ParseMessageID(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, p)
		}
	}
}

func FuzzUnescapeID(f *testing.F) {
	for _, seed := range []string{"alice", "a~2Eb", "~", "~2", "~zz", "群", "~E7~BE~A4", "a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := mapping.UnescapeID(s); err == nil && mapping.EscapeID(id) != s {
			t.Errorf("%q is read as %q, which is written %q", s, id, mapping.EscapeID(id))
		}
		escaped := mapping.EscapeID(s)
		if strings.ContainsAny(escaped, " ./*>%$\"") {
			t.Errorf("%q is written %q", s, escaped)
		}
		if id, err := mapping.UnescapeID(escaped); err != nil || id != s {
			t.Errorf("%q is written %q, which is read as %q, %v", s, escaped, id, err)
		}
	})
}

func FuzzParseMessageID(f *testing.F) {
	for _, seed := range []string{"c2c/alice/bob/7/1/2", "group/team/45", "group/team/online/alice/7/8", "group/t/1/tip/0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		p, err := mapping.ParseMessageID(id)
		if err != nil {
			return
		}
		m := tim.Message{ConvType: tim.ConvGroup, ConvID: string(p.Group), Seq: p.Seq, Rand: p.Rand, ServerTime: p.Time, Sender: p.Sender}
		account := tim.UserID("x")
		if p.Group == "" {
			m.ConvType, m.ConvID, account = tim.ConvC2C, string(p.Users[0]), p.Users[1]
		}
		if got := mapping.MessageID(account, m); got != id && got != "" {
			t.Errorf("%q is read as %+v, which is written %q", id, p, got)
		}
	})
}
