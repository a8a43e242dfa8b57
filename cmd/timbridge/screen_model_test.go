package main

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// glass is a model of a terminal's screen: what it shows after what was written
// to it. It knows what the editor uses, and scrolls without end.
type glass struct {
	t        *testing.T
	cols     int
	rows     [][]rune
	row, col int
	full     bool // the last column was written: the next character goes to the next row
}

func newGlass(t *testing.T, cols int) *glass {
	return &glass{t: t, cols: cols, rows: [][]rune{nil}}
}

// beside is what stands in the second column of a wide character.
const beside = rune(0)

func (g *glass) Write(b []byte) (int, error) {
	for text := string(b); text != ""; {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r >= 0x40 && r <= 0x7e })
			if end < 0 {
				g.t.Errorf("half a sequence: %q", text)
				return len(b), nil
			}
			g.control(rest[:end], rest[end])
			text = rest[end+1:]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch r {
		case '\r':
			g.col, g.full = 0, false
		case '\n':
			g.down()
		default:
			g.put(r)
		}
	}
	return len(b), nil
}

func (g *glass) down() {
	g.row++
	if g.row == len(g.rows) {
		g.rows = append(g.rows, nil)
	}
}

func (g *glass) put(r rune) {
	w := columns(r)
	if r < ' ' {
		g.t.Errorf("the terminal was given %q", r)
	}
	if w == 0 {
		g.rows[g.row] = append(g.rows[g.row], r) // good enough at the end of a row
		return
	}
	if g.full || g.col+w > g.cols {
		g.down()
		g.col, g.full = 0, false
	}
	for len(g.rows[g.row]) < g.col+w {
		g.rows[g.row] = append(g.rows[g.row], ' ')
	}
	g.rows[g.row][g.col] = r
	if w == 2 {
		g.rows[g.row][g.col+1] = beside
	}
	if g.col += w; g.col == g.cols {
		g.col, g.full = g.cols-1, true
	}
}

func (g *glass) control(params string, final byte) {
	n, err := strconv.Atoi(params)
	if err != nil {
		n = 1
	}
	switch final {
	case 'A':
		g.row -= n
	case 'C':
		g.col += n
	case 'J':
		if params == "2" {
			g.rows = [][]rune{nil}
			return
		}
		g.rows = g.rows[:g.row+1]
		g.rows[g.row] = g.rows[g.row][:min(g.col, len(g.rows[g.row]))]
	case 'H':
		g.row, g.col = 0, 0
	case 'm', 'h', 'l':
		return
	default:
		g.t.Errorf("a sequence that is not known: %s%c", params, final)
	}
	g.full = false
	if g.row < 0 || g.col >= g.cols {
		g.t.Errorf("the cursor left the screen: row %d, column %d", g.row, g.col)
		g.row, g.col = max(g.row, 0), min(g.col, g.cols-1)
	}
}

// shown is the screen with a bar where the cursor is.
func (g *glass) shown() string {
	var lines []string
	for i, row := range g.rows {
		var b strings.Builder
		for j := 0; j <= len(row) || i == g.row && j <= g.col; j++ {
			if i == g.row && j == g.col {
				b.WriteRune('|')
			}
			if j < len(row) && row[j] != beside {
				b.WriteRune(row[j])
			} else if j >= len(row) && i == g.row && j < g.col {
				b.WriteRune(' ')
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return strings.Join(lines, "\n")
}
