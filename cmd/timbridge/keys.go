package main

import (
	"bufio"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// key is what a person pressed: a character, or one of the constants below.
type key rune

// The keys that are no characters, below every character.
const (
	keyNone key = -iota - 1 // one that does nothing here
	keyEnter
	keyInterrupt   // Ctrl-C
	keyDeleteOrEnd // Ctrl-D
	keyBackspace
	keyDelete
	keyLeft
	keyRight
	keyWordLeft
	keyWordRight
	keyHome
	keyEnd
	keyUp
	keyDown
	keyKillLeft  // Ctrl-U
	keyKillRight // Ctrl-K
	keyKillWord  // Ctrl-W
	keyYank      // Ctrl-Y
	keyClear     // Ctrl-L
	keyTab
)

// keyboard reads keys from a terminal in raw mode.
type keyboard struct {
	r       *bufio.Reader
	pasting bool // between the terminal's marks around what is pasted
}

func newKeyboard(r io.Reader) *keyboard { return &keyboard{r: bufio.NewReader(r)} }

// controls are the keys of single bytes.
var controls = [...]key{
	0x01: keyHome, 0x02: keyLeft, 0x03: keyInterrupt, 0x04: keyDeleteOrEnd, 0x05: keyEnd, 0x06: keyRight, 0x08: keyBackspace,
	0x0a: keyEnter, 0x0b: keyKillRight, 0x0c: keyClear, 0x0d: keyEnter, 0x0e: keyDown, 0x10: keyUp,
	0x15: keyKillLeft, 0x17: keyKillWord, 0x19: keyYank, 0x1f: 0,
}

// ready says that the next read does not wait.
func (k *keyboard) ready() bool {
	waiting, err := k.r.Peek(k.r.Buffered())
	return err == nil && utf8.FullRune(waiting)
}

// read waits for a key. In what is pasted a line's end is the character '\n'.
func (k *keyboard) read() (key, error) {
	r, size, err := k.r.ReadRune()
	switch {
	case err != nil:
		return 0, err
	case r == 0x1b:
		return k.escaped()
	case k.pasting && (r == '\r' || r == '\n'):
		if next, err := k.r.Peek(1); r == '\r' && k.r.Buffered() > 0 && err == nil && next[0] == '\n' {
			return keyNone, nil // the '\n' that follows is the line's end
		}
		return '\n', nil
	case r == '\t' && k.pasting:
		return ' ', nil
	case r == '\t':
		return keyTab, nil
	case r == 0x7f:
		return keyBackspace, nil
	case r < 0x20 && !k.pasting && controls[r] != 0:
		return controls[r], nil
	case unicode.IsPrint(r) && (r != unicode.ReplacementChar || size > 1), r == joiner:
		return key(r), nil
	}
	return keyNone, nil
}

// sequences are the keys that send an escape and these.
var sequences = map[string]key{
	"[A": keyUp, "OA": keyUp, "[B": keyDown, "OB": keyDown, "[C": keyRight, "OC": keyRight, "[D": keyLeft, "OD": keyLeft,
	"[H": keyHome, "OH": keyHome, "[1~": keyHome, "[7~": keyHome, "[F": keyEnd, "OF": keyEnd, "[4~": keyEnd, "[8~": keyEnd,
	"[3~": keyDelete, "[1;5D": keyWordLeft, "[1;3D": keyWordLeft, "b": keyWordLeft, "[1;5C": keyWordRight, "[1;3C": keyWordRight, "f": keyWordRight,
	"\x7f": keyKillWord,
}

// maxSequence bounds what follows an escape.
const maxSequence = 32

// escaped reads what follows an escape. A terminal sends it with the escape;
// where nothing has come with it, the key Escape itself was pressed.
func (k *keyboard) escaped() (key, error) {
	var b strings.Builder
	for k.r.Buffered() > 0 && b.Len() < maxSequence {
		c, err := k.r.ReadByte()
		if err != nil {
			return 0, err
		}
		b.WriteByte(c)
		first := b.String()[0]
		if b.Len() == 1 && (c == '[' || c == 'O') {
			continue
		}
		if first == '[' && (c < 0x40 || c > 0x7e) {
			continue // parameters
		}
		break
	}
	switch text := b.String(); text {
	case "[200~", "[201~":
		k.pasting = text == "[200~"
		return keyNone, nil
	default:
		if found, ok := sequences[text]; ok && !k.pasting {
			return found, nil
		}
		return keyNone, nil
	}
}
