package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one.png", "only.txt", ".hidden"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "older"), 0o700); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "o")
	talk, _ := newTestTalk(&memory{})
	talk.conv = tim.Group("team")
	talk.names.learn(tim.UserProfile{Identifier: "alice", NickName: "Wonder"})
	talk.names.learn(tim.UserProfile{Identifier: "bob"})
	talk.names.learn(tim.UserProfile{Identifier: "carol"})
	talk.names.learn(tim.UserProfile{Identifier: "caro 2"})
	talk.elsewhere[tim.Group("tea house")] = true
	for _, tt := range []struct {
		before, typed string
		found         []string
	}{
		{"/", "/", nil}, // all of them, see below
		{"/re", "/re", []string{"/recall", "/refuse", "/requests"}},
		{"/WHO", "/WHO", []string{"/who"}},
		{"//wh", "//wh", nil},
		{"/invite ca", "ca", []string{`carol`}},
		{"/invite carol a", "a", []string{"alice"}},
		{"/kick wond", "wond", []string{"alice"}},
		{"/kick b", "b", nil}, // oneself
		{"/to ", "", []string{`"caro 2"`, "alice", "carol"}},
		{"/group te", "te", []string{"team"}},
		{`/group "`, `"`, []string{`"tea house"`}},
		{"/change al", "al", nil},
		{"/nosuch al", "al", nil},
		{"/file " + at, at, []string{filepath.Join(dir, "older") + string(filepath.Separator), filepath.Join(dir, "one.png"), filepath.Join(dir, "only.txt")}},
		{"/file /no/such/folder/x", "/no/such/folder/x", nil},
		{"hello w", "w", []string{"Wonder"}},
		{"hello ", "", nil},
		{"", "", nil},
	} {
		typed, found := talk.complete(tt.before)
		if tt.before == "/" {
			if len(found) != len(slashes()) {
				t.Errorf("a slash alone can be %q", found)
			}
			continue
		}
		if typed != tt.typed || !slices.Equal(found, tt.found) {
			t.Errorf("%q: %q can be %q, want %q of %q", tt.before, typed, found, tt.found, tt.typed)
		}
	}
	talk.conv = tim.C2C("alice")
	if _, found := talk.complete("/mem"); len(found) > 0 {
		t.Errorf("between two there is %q", found)
	}
}

// Tab completes what is clear, and shows the rest above the line.
func TestTab(t *testing.T) {
	words := []string{"alice", "bob", "你好", "你们", "dir/"}
	for _, c := range []struct{ name, typed, screen string }{
		{"one", "a\t", "> alice |"},
		{"in the middle of the line", "x y\x1b[Da\t", "> x alice |y"},
		{"as far as it is clear", "你\t", "  你们  你好\n> 你|"},
		{"none", "x\t", "> x|"},
		{"a folder goes on", "d\tx", "> dir/x|"},
		{"typed on", "b\tand\t", "> bob and|"},
		{"pasted it is a space", "\x1b[200~a\tb\x1b[201~", "> a b|"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGlass(t, 30)
			e := newEditor(strings.NewReader(c.typed), g, func() int { return 30 })
			e.complete = func(before string) (string, []string) {
				typed := lastWord(before)
				return typed, beginning(typed, words)
			}
			e.setPrompt("> ")
			if _, err := e.readLine(); err == nil {
				t.Error("a line was entered")
			}
			if got := g.shown(); got != c.screen {
				t.Errorf("the screen shows\n%s\nnot\n%s", got, c.screen)
			}
		})
	}
}
