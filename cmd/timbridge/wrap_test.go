package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"
)

func TestWrapping(t *testing.T) {
	for _, c := range []struct {
		name         string
		line         string
		cols, indent int
		want         string
	}{
		{"fits", "as it is", 8, 2, "as it is"},
		{"between words", "one two three four five six", 20, 2, "one two three four\n  five six"},
		{"a full row", "aaaa bbbb cccc ddddd eeee", 20, 2, "aaaa bbbb cccc ddddd\n  eeee"},
		{"spaces within a row stay", "a    b  c  one two three", 16, 0, "a    b  c  one\ntwo three"},
		{"a beginning that is indented", "    one two three four", 18, 4, "    one two three\n    four"},
		{"Chinese", "bob: 你好吗？今天天气很好，我们去公园", 20, 5, "bob: 你好吗？今天天\n     气很好，我们去\n     公园"},
		{"punctuation does not begin a row", "一二三四五六七八九，十", 18, 0, "一二三四五六七八\n九，十"},
		{"a word that is wider than a row", "see https://a.example/" + strings.Repeat("x", 30) + " now", 20, 2, "see https://a.example/" + strings.Repeat("x", 30) + " now"},
		{"too narrow for the indent", "alice in wonderland: one two three four", 20, 18, "alice in wonderland:\n  one two three four"},
		{"an accent stays with its letter", "aaaaaaaaaa bbbbbbbbe\u0301", 20, 0, "aaaaaaaaaa bbbbbbbbe\u0301"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := wrapped(c.line, c.cols, c.indent); got != c.want {
				t.Errorf("got\n%s\nnot\n%s", got, c.want)
			}
		})
	}
}

// Whatever is wrapped, nothing but spaces is lost, and a row is wider than the
// terminal only where a word is.
func FuzzWrapping(f *testing.F) {
	f.Add("bob: 你好吗 one two", 20, 5)
	f.Add("https://a.example/xxxxxxxxxxxxxxxxxxxxx one", 14, 13)
	f.Fuzz(func(t *testing.T, line string, cols, indent int) {
		if cols < 2 || cols > 200 || indent < 0 || indent > 300 || len(line) > 1000 || strings.ContainsAny(line, "\n\r") {
			t.Skip()
		}
		got := wrapped(line, cols, indent)
		bare := func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}
		if strings.Map(bare, got) != strings.Map(bare, strings.ToValidUTF8(line, "\ufffd")) && strings.Map(bare, got) != strings.Map(bare, line) {
			t.Errorf("%q became %q", line, got)
		}
		for _, row := range strings.Split(got, "\n") {
			widest := 0
			for part := range parts(row) {
				widest = max(widest, span(part))
			}
			if span(row) > cols && widest <= cols-leastWrapped && !strings.Contains(row, "  ") {
				t.Errorf("%q is wrapped as %q: %d columns of %d", line, row, span(row), cols)
			}
		}
	})
}

// The time beside a message is dim, and its rows are no wider than the terminal.
func TestAMessageAtATerminal(t *testing.T) {
	g := newGlass(t, 40)
	var raw strings.Builder
	s := &typedScreen{editor: newEditor(strings.NewReader(""), io.MultiWriter(g, &raw), func() int { return 40 }), dims: true}
	if err := errors.Join(
		s.say("10:00:00", "alice:", "a message that is longer than a row\nand another line"),
		s.list("member  bob, muted until 12:00:00 and a day"),
		s.note("something is said in the group team; /group team goes there"),
	); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"10:00:00 alice: a message that is longer",
		"                than a row",
		"                and another line",
		"  member  bob, muted until 12:00:00 and",
		"          a day",
		"· something is said in the group team;",
		"  /group team goes there",
		"|",
	}, "\n")
	if got := g.shown(); got != want {
		t.Errorf("the screen shows\n%s\nnot\n%s", got, want)
	}
	if !strings.HasPrefix(raw.String(), "\x1b[2m10:00:00\x1b[m alice: a message") || !strings.Contains(raw.String(), "\x1b[2m· something") {
		t.Errorf("written %q", raw.String())
	}
}
