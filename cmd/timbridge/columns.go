package main

import (
	"unicode"

	"golang.org/x/text/width"
)

// joiner holds emoji together that are shown as one.
const joiner = '\u200d'

// columns is how wide a terminal shows a character: 2 for Chinese, Japanese and
// Korean ones and for emoji, 0 for what is put on the character before it.
func columns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// span is how many columns a text takes.
func span(text string) int {
	n := 0
	for _, r := range text {
		n += columns(r)
	}
	return n
}

// place is where the cursor stands, from 0, after characters were written from
// the beginning of a row on a terminal of so many columns. A wide one that does
// not fit at the end of a row goes to the next.
func place(text []rune, cols int) (row, col int) {
	for _, r := range text {
		w := columns(r)
		if col+w > cols {
			row, col = row+1, 0
		}
		col += w
	}
	if col >= cols {
		row, col = row+1, 0
	}
	return row, col
}
