package egress

import (
	"testing"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "c2c/a/b", true},
		{"c2c/*/bob", "c2c/alice/bob", true}, {"c2c/*/bob", "c2c/bob/zoe", false}, {"group/team-*", "group/team-1", true},
		{"group/team-*", "group/tea", false}, {"*b*", "abc", true}, {"*b*", "ac", false}, {"a*a", "a", false}, {"a*a", "aa", true},
		{"*ab*ab", "abab", true}, {"*ab*ab", "ab", false}, {"**", "x", true}, {"message.*", "message.send", true}, {"message.*", "group.create", false},
	} {
		if got := match(c.pattern, c.s); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

func TestMatchAgainstModel(t *testing.T) {
	var model func(p, s string) bool
	model = func(p, s string) bool {
		switch {
		case p == "":
			return s == ""
		case p[0] == '*':
			return model(p[1:], s) || s != "" && model(p, s[1:])
		}
		return s != "" && p[0] == s[0] && model(p[1:], s[1:])
	}
	rapid.Check(t, func(t *rapid.T) {
		p, s := rapid.StringMatching(`[ab*]{0,8}`).Draw(t, "pattern"), rapid.StringMatching(`[ab]{0,10}`).Draw(t, "s")
		if got, want := match(p, s), model(p, s); got != want {
			t.Fatalf("match(%q, %q) = %v, want %v", p, s, got, want)
		}
	})
}
