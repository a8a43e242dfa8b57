package main

import (
	"strings"
	"unicode"
)

// leastWrapped is how many columns are to be left beside an indent.
const leastWrapped = 12

// wrapped breaks a line between words, and between Chinese, Japanese and Korean
// characters, so that none of its rows is wider than a terminal of so many
// columns; the rows after the first are indented. A word that is wider than a
// row, as addresses are, is left whole, for the terminal to break: so it can be
// taken from the screen.
func wrapped(line string, cols, indent int) string {
	if span(line) <= cols {
		return line
	}
	if cols-indent < leastWrapped {
		indent = min(2, max(0, cols-leastWrapped))
	}
	var b strings.Builder
	col, gap, begun := 0, "", false // begun: the row has a word
	for part := range parts(line) {
		if strings.TrimSpace(part) == "" {
			gap += part
			continue
		}
		w, g := span(part), span(gap)
		if begun && col+g+w > cols && w <= cols-indent {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			col, gap, g = indent, "", 0
		}
		b.WriteString(gap + part)
		col, gap, begun = col+g+w, "", true
		if col > cols {
			_, col = place([]rune(strings.Repeat(" ", col)), cols)
		}
	}
	return b.String()
}

// parts are the parts of a line that stay together: words, the spaces between
// them, and wide characters with the punctuation after them.
func parts(line string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		runes := []rune(line)
		for from := 0; from < len(runes); {
			to := from + 1
			for to < len(runes) && together(runes[to-1], runes[to]) {
				to++
			}
			if !yield(string(runes[from:to])) {
				return
			}
			from = to
		}
	}
}

// together says whether there is no break between two characters.
func together(a, b rune) bool {
	switch {
	case columns(b) == 0 || a == joiner:
		return true
	case a == ' ' || b == ' ':
		return a == b
	case columns(a) == 2 || columns(b) == 2:
		return unicode.IsPunct(b)
	}
	return true
}
