package main

import (
	"strings"
	"testing"
)

func TestTextFromElsewhereIsHarmless(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"words", "hello, 世界 👋", "hello, 世界 👋"},
		{"a family held together", "👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"},
		{"colours", "\x1b[31mred", `\x1b[31mred`},
		{"a bell", "\a", `\x07`},
		{"written backwards", "a\u202eb", `a\u202eb`},
		{"lines", "one\r\n two\tthree", "one two three"},
		{"no UTF-8", "a\xffb", `a\ufffdb`},
		{"C1", "a\u009bb", `a\u009bb`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := plain(c.in); got != c.want {
				t.Errorf("got %q, not %q", got, c.want)
			}
		})
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("\x1b]0;title\a")
	f.Fuzz(func(t *testing.T, text string) {
		if got := plain(text); strings.ContainsAny(got, "\x1b\a\n\r\t\b\x00\u009b\u202e") {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestLongFlagsMayHaveOneDash(t *testing.T) {
	names := []string{"config", "json", "text", "from"}
	for _, c := range []struct{ name, in, want string }{
		{"flag", "run -config a.hcl", "run --config a.hcl"},
		{"with a value", "run -config=a.hcl", "run --config=a.hcl"},
		{"short ones stay", "run -c a.hcl -n5 -w", "run -c a.hcl -n5 -w"},
		{"two dashes stay", "tail --json", "tail --json"},
		{"what is no flag stays", "send --text -hello", "send --text -hello"},
		{"a number stays", "tail -n -1", "tail -n -1"},
		{"after two dashes nothing is a flag", "x -- -json", "x -- -json"},
		{"a dash alone", "send --text -", "send --text -"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(longFlags(strings.Fields(c.in), names), " "); got != c.want {
				t.Errorf("got %q, not %q", got, c.want)
			}
		})
	}
}
