package main

import "unicode/utf8"

// checkEncoding refuses text that is not UTF-8. JSON has no place for its bytes:
// signs would be put in their stead, and be what others read.
func checkEncoding(what, text string) error {
	for i, r := range text {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
			return badInput("convert it first, as with: iconv -f GB18030 -t UTF-8", "%s is not UTF-8: byte %d is 0x%02x", what, i+1, text[i])
		}
	}
	return nil
}
