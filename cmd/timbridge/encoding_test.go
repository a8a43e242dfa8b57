package main

import "testing"

func TestTextIsUTF8(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"Chinese", "你好", ""},
		{"the sign for what could not be read", "a\ufffdb", ""},
		{"Chinese in another encoding", "a\xc4\xe3\xba\xc3", "the line is not UTF-8: byte 2 is 0xc4"},
		{"cut short", "好\xe5\xa5", "the line is not UTF-8: byte 4 is 0xe5"},
		{"half of a pair", "\xed\xa0\x80", "the line is not UTF-8: byte 1 is 0xed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkEncoding("the line", c.text)
			if c.want == "" && err == nil {
				return
			}
			if err == nil || err.Error() != c.want || judgeCode(err) != codeInput {
				t.Errorf("got %v, not %q", err, c.want)
			}
		})
	}
}
