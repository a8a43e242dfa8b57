package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// What is typed stands on the screen, in a terminal of 20 columns, with the
// cursor (|) in its place, and stays whole when something is printed above it.
func TestTyping(t *testing.T) {
	const left, up, home, ctrlU, ctrlK, ctrlW, ctrlY, backspace = "\x1b[D", "\x1b[A", "\x01", "\x15", "\x0b", "\x17", "\x19", "\x7f"
	for _, c := range []struct{ name, typed, screen string }{
		{"nothing", "", "> |"},
		{"words", "hello you", "> hello you|"},
		{"in the middle", "helo" + left + "l", "> hell|o"},
		{"backspace", "hellp" + backspace + "o", "> hello|"},
		{"delete", "xhello" + home + "\x1b[3~", "> |hello"},
		{"Chinese", "你好吗", "> 你好吗|"},
		{"Chinese, one taken back", "你好吗" + backspace, "> 你好|"},
		{"Chinese, in the middle", "你吗" + left + "好", "> 你好|吗"},
		{"a family is one", "a👩\u200d👧" + backspace, "> a|"},
		{"an accent is one with its letter", "e\u0301x" + left + backspace, "> |x"},
		{"a full row", strings.Repeat("x", 18), "> " + strings.Repeat("x", 18) + "\n|"},
		{"more than a row", strings.Repeat("x", 20), "> " + strings.Repeat("x", 18) + "\nxx|"},
		{"a wide one does not fit the row", strings.Repeat("x", 17) + "你好", "> " + strings.Repeat("x", 17) + "\n你好|"},
		{"back from the second row", strings.Repeat("x", 20) + home, "> |" + strings.Repeat("x", 18) + "\nxx"},
		{"Ctrl-U", "hello you" + left + left + left + ctrlU, "> |you"},
		{"Ctrl-K and Ctrl-Y", "hello" + home + ctrlK + "oh, " + ctrlY, "> oh, hello|"},
		{"Ctrl-W", "hello you" + ctrlW, "> hello |"},
		{"words to the left", "one two three\x1b[1;5D\x1bb!", "> one !|two three"},
		{"words to the right", "one two" + home + "\x1bf!", "> one!| two"},
		{"Ctrl-C takes the line back", "hello\x03", "> |"},
		{"Ctrl-D in a line deletes", "hello" + home + "\x04", "> |ello"},
		{"Up at the beginning", "hello" + up, "> hello|"},
		{"keys that do nothing", "a\x1b[15~\x1b[Z\x00\x1a\x07b", "> ab|"},
		{"Escape alone", "a\x1b", "> a|"},
		{"no UTF-8", "a\xff\xfeb", "> ab|"},
		{"several lines pasted", "\x1b[200~one\r\ntwo\x1b[201~", "> one⏎two|"},
		{"control characters pasted", "\x1b[200~a\x03b\x04c\x1b[201~", "> abc|"},
		{"written backwards", "a\u202eb", "> ab|"},
		{"clear the screen", "hello\x0c", "> hello|"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGlass(t, 20)
			e := newEditor(strings.NewReader(c.typed), g, func() int { return 20 })
			e.setPrompt("> ")
			if _, err := e.readLine(); !errors.Is(err, io.EOF) {
				t.Errorf("error %v", err)
			}
			if got := g.shown(); got != c.screen {
				t.Errorf("the screen shows\n%s\nnot\n%s", got, c.screen)
			}
			// What others say goes above.
			if err := e.print("bob: hello\nand 你好\n"); err != nil {
				t.Error(err)
			}
			if got, want := g.shown(), "bob: hello\nand 你好\n"+c.screen; got != want && !strings.Contains(c.typed, "\x0c") {
				t.Errorf("then the screen shows\n%s\nnot\n%s", got, want)
			}
			if err := e.close(); err != nil {
				t.Error(err)
			}
			if got := g.shown(); !strings.HasSuffix(got, "bob: hello\nand 你好\n|") {
				t.Errorf("at the end the screen shows\n%s", got)
			}
		})
	}
}

func TestLinesThatAreEntered(t *testing.T) {
	const up, down = "\x1b[A", "\x1b[B"
	g := newGlass(t, 20)
	in := "one\rtwo\n" + up + up + "!\r" + "new" + up + down + "er\r\x1b[200~a\nb\x1b[201~\r\x04"
	e := newEditor(strings.NewReader(in), g, func() int { return 20 })
	e.setPrompt("> ")
	for _, want := range []string{"one", "two", "one!", "newer", "a\nb"} {
		if got, err := e.readLine(); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if _, err := e.readLine(); !errors.Is(err, errEnd) {
		t.Errorf("at the end: %v", err)
	}
	if err := e.close(); err != nil {
		t.Error(err)
	}
	if got := g.shown(); got != "|" {
		t.Errorf("what was entered is still on the screen:\n%s", got)
	}
}

// The program at the other end of a long paste does not grow without end.
func TestALineHasAnEnd(t *testing.T) {
	e := newEditor(strings.NewReader(strings.Repeat("x", maxTyped+10)+"\r"), io.Discard, func() int { return 80 })
	e.entered = nil
	if got, err := e.readLine(); len(got) != maxTyped || err != nil {
		t.Errorf("%d characters, %v", len(got), err)
	}
}

// Whatever is typed, the cursor stays on the screen and nothing but printable
// characters comes back.
func FuzzTyping(f *testing.F) {
	f.Add("hello\x1b[D\x7f你好\x1b[200~a\nb\x1b[201~\x01\x0b\x19\r", 7)
	f.Add("\f", 2)
	f.Fuzz(func(t *testing.T, typed string, cols int) {
		if cols < 0 || cols > 200 || len(typed) > 500 {
			t.Skip()
		}
		g := newGlass(t, max(cols, 2))
		e := newEditor(strings.NewReader(typed), g, func() int { return cols })
		e.setPrompt("> ")
		for {
			line, err := e.readLine()
			if err != nil {
				break
			}
			if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
				t.Errorf("typed %q, got %q", typed, line)
			}
		}
		if err := e.close(); err != nil {
			t.Error(err)
		}
		if got := strings.Trim(g.shown(), "\n"); got != "|" {
			t.Errorf("typed %q in %d columns, and this is left: %q", typed, cols, got)
		}
	})
}
