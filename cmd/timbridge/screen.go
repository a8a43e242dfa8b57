package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/term"
)

// screen is where a talk is read and typed. Its methods may be called at once
// from several goroutines, readLine from one at a time.
type screen interface {
	// begin makes the terminal ready for typing, before the first readLine.
	begin() error
	// say prints what was said: when, by whom, and what. The text's further
	// lines stand below its first.
	say(at, who, text string) error
	// list prints a line of what was asked for.
	list(text string) error
	// note prints something that nobody said.
	note(text string) error
	// document prints a JSON document, where those are wanted.
	document(v any) error
	// readLine waits for a line. io.EOF says that there are no more.
	readLine() (string, error)
	// setPrompt says where the lines go.
	setPrompt(text string)
	// personal says whether a person types; else the lines come from a program.
	personal() bool
	// close gives the terminal back.
	close() error
}

// newScreen is the one that fits what is at both ends of the program. On
// Windows, where not every console knows the sequences that the editor writes,
// lines are typed in the console's own way.
func (e *env) newScreen() screen {
	if e.JSON || !terminal(e.in) || !terminal(e.out) || os.Getenv("TERM") == "dumb" || runtime.GOOS == "windows" {
		s := bufio.NewScanner(e.in)
		s.Buffer(nil, 1<<20)
		return &plainScreen{env: e, lines: s, person: !e.JSON && terminal(e.in) && terminal(e.out)}
	}
	in, out := e.in.(*os.File), e.out.(*os.File)
	cols := func() int {
		if w, _, err := term.GetSize(int(out.Fd())); err == nil && w > 0 {
			return w
		}
		return 80
	}
	return &typedScreen{editor: newEditor(in, out, cols), dims: os.Getenv("NO_COLOR") == "", terminal: int(in.Fd())}
}

// The terminal marks what is pasted, so that its lines are one message.
const (
	pasteOn  = "\x1b[?2004h"
	pasteOff = "\x1b[?2004l"
)

// typedScreen is a terminal with a line that is typed at its bottom.
type typedScreen struct {
	*editor
	dims     bool // what is beside the talk is shown dim
	terminal int
	before   *term.State // how the terminal was
}

func (s *typedScreen) begin() (err error) {
	if s.before, err = term.MakeRaw(s.terminal); err != nil {
		return fmt.Errorf("make the terminal ready: %w", err)
	}
	_, err = io.WriteString(s.out, pasteOn)
	return err
}

func (s *typedScreen) say(at, who, text string) error {
	at, who = escape(at), escape(who)
	text = indented(at+" "+who+" ", text, s.width())
	if rest, ok := strings.CutPrefix(text, at); ok && s.dims {
		text = dim(at) + rest
	}
	return s.print(text)
}

func (s *typedScreen) list(text string) error {
	text = "  " + escape(text)
	indent := 4
	if begin := strings.LastIndex(text, "  "); begin > 0 {
		indent = span(text[:begin+2]) // below the last column
	}
	return s.print(wrapped(text, s.width(), indent) + "\n")
}

func (s *typedScreen) note(text string) error {
	text = wrapped("· "+escape(text), s.width(), 2)
	if s.dims {
		text = dim(text)
	}
	return s.print(text + "\n")
}

func (s *typedScreen) document(any) error    { return nil }
func (s *typedScreen) setPrompt(text string) { s.editor.setPrompt(escape(text) + "> ") }
func (s *typedScreen) personal() bool        { return true }

func (s *typedScreen) readLine() (string, error) {
	text, err := s.editor.readLine()
	if errors.Is(err, errEnd) {
		return "", io.EOF
	}
	return text, err
}

func (s *typedScreen) close() error {
	if s.before == nil {
		return nil
	}
	_, err := io.WriteString(s.out, pasteOff)
	return errors.Join(s.editor.close(), err, term.Restore(s.terminal, s.before))
}

func dim(text string) string { return "\x1b[2m" + text + "\x1b[m" }

// plainScreen is a pipe, or a terminal that can do nothing but print: what is
// said is a line on standard output, notes are on standard error. With --json
// both are JSON.
type plainScreen struct {
	*env
	lines  *bufio.Scanner
	person bool

	mu sync.Mutex // guards the output
}

func (s *plainScreen) say(at, who, text string) error {
	text = strings.TrimRight(text, "\r\n")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", `\n`)
	return s.list(at + " " + who + " " + text)
}

func (s *plainScreen) list(text string) error {
	if s.JSON {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprintln(s.out, escape(text))
	return err
}

func (s *plainScreen) note(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.JSON {
		return json.NewEncoder(s.errs).Encode(map[string]string{"note": text})
	}
	_, err := fmt.Fprintf(s.errs, "· %s\n", escape(text))
	return err
}

func (s *plainScreen) document(v any) error {
	if !s.JSON {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.print(v, "")
}

func (s *plainScreen) readLine() (string, error) {
	if !s.lines.Scan() {
		if err := s.lines.Err(); err != nil {
			return "", err
		}
		return "", io.EOF
	}
	return s.lines.Text(), nil
}

func (s *plainScreen) begin() error     { return nil }
func (s *plainScreen) setPrompt(string) {}
func (s *plainScreen) personal() bool   { return s.person }
func (s *plainScreen) close() error     { return nil }

// indented puts a head before a text's first line, and the text's other lines
// below it, in a terminal of so many columns.
func indented(head, text string, cols int) string {
	var b strings.Builder
	indent := span(head)
	for line := range strings.Lines(strings.TrimRight(text, "\r\n")) {
		b.WriteString(wrapped(head+escape(strings.TrimRight(line, "\r\n")), cols, indent) + "\n")
		head = strings.Repeat(" ", indent)
	}
	return b.String()
}
