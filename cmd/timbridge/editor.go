package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// editor is the line that a person types, at the bottom of a terminal in raw
// mode. What others say is printed above it and leaves it whole. Its methods
// may be called at once from several goroutines, readLine from one at a time.
type editor struct {
	keys *keyboard
	out  io.Writer
	cols func() int // the terminal's columns
	// complete says for Tab what the end of what stands before the cursor can
	// become: typed is that end. It is called without the editor's lock, and set
	// before the first line is read.
	complete func(before string) (typed string, found []string)

	mu      sync.Mutex // guards the output and what is below
	prompt  []rune
	line    []rune
	pos     int      // of the cursor, in line
	drawn   bool     // prompt and line are on the screen
	wiped   bool     // the whole screen is to be taken off
	entered [][]rune // lines, oldest first
	at      int      // the line of entered that is shown; len(entered): the new one
	fresh   []rune   // the new one meanwhile
	killed  []rune   // what Ctrl-Y puts back
}

func newEditor(in io.Reader, out io.Writer, cols func() int) *editor {
	return &editor{keys: newKeyboard(in), out: out, cols: cols}
}

// maxEntered bounds the lines that Up finds again.
const maxEntered = 100

// maxTyped bounds a line, in characters: more than a message may have.
const maxTyped = 16 << 10

// errEnd is Ctrl-D or Ctrl-C on an empty line.
var errEnd = errors.New("ended at the keyboard")

// setPrompt says what stands before the line.
func (e *editor) setPrompt(text string) {
	e.change(func() { e.prompt = []rune(text) })
}

// print writes lines above the one that is typed.
func (e *editor) print(text string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.erase(nil)
	b = append(b, bytes.ReplaceAll([]byte(text), []byte("\n"), []byte("\r\n"))...)
	if e.drawn {
		b = e.draw(b)
	}
	_, err := e.out.Write(b)
	return err
}

// close takes the line off the screen.
func (e *editor) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.erase(nil)
	e.drawn = false
	_, err := e.out.Write(b)
	return err
}

// readLine shows the prompt and reads a line; what was typed is then taken off
// the screen. It gives errEnd when there are to be no more.
func (e *editor) readLine() (string, error) {
	if err := e.change(func() { e.drawn = true }); err != nil {
		return "", err
	}
	for {
		k, err := e.keys.read()
		if err != nil {
			return "", err
		}
		var (
			text    string
			done    bool
			pressed error
		)
		err = e.change(func() {
			for text, done, pressed = e.press(k); k != keyTab && !done && pressed == nil && e.keys.ready(); {
				if k, pressed = e.keys.read(); pressed == nil { // what was pasted is not drawn key by key
					text, done, pressed = e.press(k)
				}
			}
		})
		if err == nil && pressed == nil && k == keyTab {
			err = e.fill()
		}
		if err = errors.Join(err, pressed); err != nil || done {
			return text, err
		}
	}
}

// change takes the line off the screen, changes something, and shows it again.
func (e *editor) change(f func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.erase(nil)
	f()
	if e.wiped {
		b, e.wiped = []byte("\x1b[H\x1b[2J"), false
	}
	if e.drawn {
		b = e.draw(b)
	}
	_, err := e.out.Write(b)
	return err
}

// press does what a key does; done says that the line was entered.
func (e *editor) press(k key) (text string, done bool, err error) {
	switch k {
	case keyEnter:
		return e.enter(), true, nil
	case keyInterrupt:
		if len(e.line) == 0 {
			return "", false, errEnd
		}
		e.show(nil)
		e.at = len(e.entered)
	case keyDeleteOrEnd:
		if len(e.line) == 0 {
			return "", false, errEnd
		}
		e.cut(e.pos, e.right(e.pos))
	case keyDelete:
		e.cut(e.pos, e.right(e.pos))
	case keyBackspace:
		e.cut(e.left(e.pos), e.pos)
	case keyLeft:
		e.pos = e.left(e.pos)
	case keyRight:
		e.pos = e.right(e.pos)
	case keyWordLeft:
		e.pos = e.wordLeft()
	case keyWordRight:
		e.pos = e.wordRight()
	case keyHome:
		e.pos = 0
	case keyEnd:
		e.pos = len(e.line)
	case keyKillLeft:
		e.kill(0, e.pos)
	case keyKillRight:
		e.kill(e.pos, len(e.line))
	case keyKillWord:
		e.kill(e.wordLeft(), e.pos)
	case keyYank:
		e.insert(e.killed...)
	case keyUp:
		e.recall(e.at - 1)
	case keyDown:
		e.recall(e.at + 1)
	case keyClear:
		e.wiped = true
	default:
		if k > 0 {
			e.insert(rune(k))
		}
	}
	return "", false, err
}

// maxOffered bounds how many are shown that Tab could mean.
const maxOffered = 50

// fill completes what stands before the cursor as far as that is clear, and
// else shows what it could be. Only who reads lines changes the line, so that
// it can be looked at without the lock.
func (e *editor) fill() error {
	if e.complete == nil {
		return nil
	}
	typed, found := e.complete(string(e.line[:e.pos]))
	switch common := commonBeginning(found); {
	case len(found) == 0:
		return nil
	case len(found) == 1 && !strings.HasSuffix(common, "/"):
		common += " "
		fallthrough
	case len(common) > len(typed) || len(found) == 1:
		return e.change(func() {
			e.cut(e.pos-len([]rune(typed)), e.pos)
			e.insert([]rune(common)...)
		})
	}
	more := ""
	if len(found) > maxOffered {
		found, more = found[:maxOffered], "  …"
	}
	return e.print(wrapped("  "+escape(strings.Join(found, "  "))+more, e.width(), 2) + "\n")
}

// commonBeginning is what all begin with.
func commonBeginning(all []string) string {
	if len(all) == 0 {
		return ""
	}
	common := []rune(all[0])
	for _, one := range all[1:] {
		n := 0
		for _, r := range one {
			if n == len(common) || common[n] != r {
				break
			}
			n++
		}
		common = common[:n]
	}
	return string(common)
}

// enter takes the line, and keeps it for Up.
func (e *editor) enter() string {
	text := string(e.line)
	if n := len(e.entered); strings.TrimSpace(text) != "" && (n == 0 || string(e.entered[n-1]) != text) {
		e.entered = append(e.entered, e.line)
		e.entered = e.entered[max(0, len(e.entered)-maxEntered):]
	}
	e.at, e.line, e.pos = len(e.entered), nil, 0
	return text
}

// recall shows a line that was entered before, or the new one.
func (e *editor) recall(at int) {
	if at < 0 || at > len(e.entered) {
		return
	}
	if e.at == len(e.entered) {
		e.fresh = e.line
	}
	e.at = at
	if at == len(e.entered) {
		e.show(e.fresh)
	} else {
		e.show(e.entered[at])
	}
}

func (e *editor) show(line []rune) { e.line, e.pos = slices.Clone(line), len(line) }

func (e *editor) insert(r ...rune) {
	if len(e.line)+len(r) <= maxTyped {
		e.line = slices.Insert(e.line, e.pos, r...)
		e.pos += len(r)
	}
}

func (e *editor) cut(from, to int) {
	e.line = slices.Delete(e.line, from, to)
	e.pos = from
}

func (e *editor) kill(from, to int) {
	if from < to {
		e.killed = slices.Clone(e.line[from:to])
		e.cut(from, to)
	}
}

// left is the place before what is shown as one character before a place.
func (e *editor) left(pos int) int {
	for pos > 0 {
		pos--
		if columns(e.line[pos]) > 0 && (pos == 0 || e.line[pos-1] != joiner) {
			break
		}
	}
	return pos
}

// right is the place after what is shown as one character after a place.
func (e *editor) right(pos int) int {
	for pos < len(e.line) {
		pos++
		if pos < len(e.line) && columns(e.line[pos]) > 0 && e.line[pos-1] != joiner {
			break
		}
	}
	return pos
}

func (e *editor) wordLeft() int {
	pos := e.pos
	for pos > 0 && unicode.IsSpace(e.line[pos-1]) {
		pos--
	}
	for pos > 0 && !unicode.IsSpace(e.line[pos-1]) {
		pos--
	}
	return pos
}

func (e *editor) wordRight() int {
	pos := e.pos
	for pos < len(e.line) && unicode.IsSpace(e.line[pos]) {
		pos++
	}
	for pos < len(e.line) && !unicode.IsSpace(e.line[pos]) {
		pos++
	}
	return pos
}

// visible is what stands on the screen up to a place in the line: a line's end
// in what was pasted is shown as a sign.
func (e *editor) visible(pos int) []rune {
	text := slices.Concat(e.prompt, e.line[:pos])
	for i, r := range text {
		if r == '\n' {
			text[i] = '⏎'
		}
	}
	return text
}

// erase appends what takes prompt and line off the screen.
func (e *editor) erase(b []byte) []byte {
	if !e.drawn {
		return b
	}
	if row, _ := place(e.visible(e.pos), e.width()); row > 0 {
		b = fmt.Appendf(b, "\x1b[%dA", row)
	}
	return append(b, "\r\x1b[J"...)
}

// draw appends what shows prompt and line, with the cursor in its place.
func (e *editor) draw(b []byte) []byte {
	cols := e.width()
	text := e.visible(len(e.line))
	endRow, endCol := place(text, cols)
	b = append(b, string(text)...)
	if endCol == 0 && endRow > 0 {
		b = append(b, "\r\n"...) // a full row: the terminal itself goes on only with the next character
	}
	if e.pos == len(e.line) {
		return b
	}
	row, col := place(e.visible(e.pos), cols)
	if endRow > row {
		b = fmt.Appendf(b, "\x1b[%dA", endRow-row)
	}
	b = append(b, '\r')
	if col > 0 {
		b = fmt.Appendf(b, "\x1b[%dC", col)
	}
	return b
}

// width is the terminal's, never too narrow for a wide character.
func (e *editor) width() int { return max(e.cols(), 2) }
