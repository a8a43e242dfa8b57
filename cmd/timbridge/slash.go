package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// slash is what can be done in a talk besides talking.
type slash struct {
	name, args, help string
	least            int // arguments
	group            bool
	run              func(t *talk, ctx context.Context, args []string) error
}

// errQuit is /quit.
var errQuit = errors.New("quit")

// fileWait bounds sending a file.
const fileWait = 10 * time.Minute

// slashes are all of them, in the order of /help.
func slashes() []slash {
	return []slash{
		{name: "to", args: "USER", help: "talk to another user", least: 1, run: (*talk).slashTo},
		{name: "group", args: "GROUP", help: "talk in another group, by its id", least: 1, run: (*talk).slashGroup},
		{name: "file", args: "PATH", help: "send a file; a picture as such", least: 1, run: (*talk).slashFile},
		{name: "recall", args: "[N]", help: "take back the last message of yours, or the Nth from the end", run: (*talk).slashRecall},
		{name: "change", args: "TEXT", help: "put another text into your last message", least: 1, run: (*talk).slashChange},
		{name: "history", args: "[N]", help: "what was said before, 20 messages or N", run: (*talk).slashHistory},
		{name: "who", help: "who takes part, and is online", run: (*talk).slashWho},
		{name: "nick", args: "NAME", help: "what others are to see as your name", least: 1, run: (*talk).slashNick},
		{name: "create", args: "[-TYPE] NAME [USER…]", help: "make a group of that name with these users, and go there; -private, -public, -chatroom, -avchatroom, -bchatroom or -community. Default: -private", least: 1, run: (*talk).slashCreate},
		{name: "members", help: "the group's members, and what they may do", group: true, run: (*talk).slashMembers},
		{name: "invite", args: "USER…", help: "put users into the group", least: 1, group: true, run: (*talk).slashInvite},
		{name: "kick", args: "USER…", help: "remove users from the group", least: 1, group: true, run: (*talk).slashKick},
		{name: "join", args: "GROUP [TEXT]", help: "ask to join a group, and go there where nobody has to agree", least: 1, run: (*talk).slashJoin},
		{name: "requests", help: "who asks to join the groups that you decide for", run: (*talk).slashRequests},
		{name: "accept", args: "USER", help: "let a user who asked into the group", least: 1, group: true, run: (*talk).slashAccept},
		{name: "refuse", args: "USER [TEXT]", help: "do not", least: 1, group: true, run: (*talk).slashRefuse},
		{name: "leave", help: "leave the group, and the talk", group: true, run: (*talk).slashLeave},
		{name: "transfer", args: "USER", help: "hand the group over to a member, who owns it then", least: 1, group: true, run: (*talk).slashTransfer},
		{name: "dismiss", help: "end the group, for everybody, and the talk", group: true, run: (*talk).slashDismiss},
		{name: "help", help: "this list", run: (*talk).slashHelp},
		{name: "quit", help: "leave the talk; so does Ctrl-D", run: func(*talk, context.Context, []string) error { return errQuit }},
	}
}

// command does what a line after a slash says.
func (t *talk) command(ctx context.Context, line string) error {
	const hint = "/help lists what there is; a message that begins with a slash is written with two"
	args, err := words(line)
	if err != nil {
		return badInput(hint, "/%s: %w", line, err)
	}
	if len(args) == 0 {
		return badInput(hint, "a slash alone says nothing")
	}
	for _, s := range slashes() {
		if s.name != args[0] {
			continue
		}
		if len(args)-1 < s.least {
			return badInput(hint, "write /%s %s", s.name, s.args)
		}
		if s.group && t.here().Type != tim.ConvGroup {
			return badInput(hint, "/%s is for groups; /create makes one, /group goes into one", s.name)
		}
		return s.run(t, ctx, args[1:])
	}
	return badInput(hint, "there is no /%s", args[0])
}

func (t *talk) slashHelp(context.Context, []string) error {
	for _, s := range slashes() {
		t.list(fmt.Sprintf("%-28s  %s", strings.TrimSpace("/"+s.name+" "+s.args), s.help), map[string]string{"command": "/" + s.name, "arguments": s.args, "help": s.help})
	}
	return nil
}

func (t *talk) slashTo(ctx context.Context, args []string) error {
	return t.enter(ctx, tim.C2C(tim.UserID(args[0])), defaultHistory)
}

func (t *talk) slashGroup(ctx context.Context, args []string) error {
	return t.enter(ctx, tim.Group(tim.GroupID(args[0])), defaultHistory)
}

// slashFile sends a file from the disk.
func (t *talk) slashFile(ctx context.Context, args []string) error {
	path, err := filepath.Abs(strings.Join(args, " "))
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return badInput("name a file that can be read", "%w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return badInput("name a file", "%s is no file", path)
	case info.Size() == 0:
		return badInput("name a file with something in it", "%s is empty", path)
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	var el tim.Elem = tim.FileElem{FilePath: path, FileName: filepath.Base(path), FileSize: info.Size()}
	if isImage(head[:n]) {
		el = tim.ImageElem{OrigPath: path, Level: tim.ImageOriginal}
	}
	return t.send(ctx, el, fileWait)
}

// isImage says whether a file that begins so is a picture that the service makes
// smaller ones of.
func isImage(head []byte) bool {
	switch http.DetectContentType(head) {
	case "image/png", "image/jpeg", "image/gif":
		return true
	}
	return false
}

func (t *talk) slashRecall(ctx context.Context, args []string) error {
	n, err := count(args, 1)
	if err != nil {
		return err
	}
	t.mu.Lock()
	var m tim.Message
	found, own := t.lastOwn(n), 0
	if found != nil {
		m = *found
	}
	for t.lastOwn(own+1) != nil {
		own++
	}
	t.mu.Unlock()
	switch {
	case found != nil:
	case own == 0:
		return badInput("", "there is no message of yours here to recall")
	default:
		return badInput("", "there %s here; /history shows earlier ones", plural(own, "is 1 message of yours", fmt.Sprintf("are %d messages of yours", own)))
	}
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	if err := t.client.Revoke(ctx, m.Conversation(), m.Locator()); err != nil {
		return fmt.Errorf("recall: %w", err)
	}
	t.inOrder(func() { t.revoked(m.Locator()) })
	return nil
}

func (t *talk) slashChange(ctx context.Context, args []string) error {
	m, ok := t.client.(tim.Modifier)
	if !ok {
		return errNotHere("change a message")
	}
	t.mu.Lock()
	var changed tim.Message
	last := t.lastOwn(1)
	if last != nil {
		changed = *last
	}
	t.mu.Unlock()
	if last == nil {
		return badInput("", "there is no message of yours here to change")
	}
	changed.Elems = []tim.Elem{tim.TextElem{Content: strings.Join(args, " ")}}
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	changed, err := m.ModifyMessage(ctx, changed)
	if err != nil {
		return fmt.Errorf("change: %w", err)
	}
	t.show(changed)
	return nil
}

func (t *talk) slashHistory(ctx context.Context, args []string) error {
	n, err := count(args, defaultHistory)
	if err != nil {
		return err
	}
	if n > maxHistory {
		return badInput("", "/history takes 1 to %d", maxHistory)
	}
	t.mu.Lock()
	oldest := t.oldest
	for i := 0; i < len(t.recent) && t.oldest == nil; i++ { // nothing was shown on entry
		if m := t.recent[i]; oldest == nil || m.ServerTime < oldest.ServerTime || m.ServerTime == oldest.ServerTime && m.Seq < oldest.Seq {
			oldest = &m
		}
	}
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	messages, err := t.past(ctx, t.here(), oldest, n)
	if err != nil {
		return err
	}
	if len(messages) == 0 {
		t.note("nothing was said before that")
		return nil
	}
	t.note("before that:")
	t.mu.Lock()
	t.oldest = &messages[len(messages)-1]
	later := t.recent
	t.recent = nil
	for i := len(messages) - 1; i >= 0; i-- {
		t.showLocked(messages[i])
	}
	t.recent = append(t.recent, later...) // the last message of one's own stays the last
	t.recent = t.recent[max(0, len(t.recent)-maxRecent):]
	t.mu.Unlock()
	t.note("so far")
	return nil
}

func (t *talk) slashNick(ctx context.Context, args []string) error {
	p, ok := t.client.(tim.Profiles)
	if !ok {
		return errNotHere("change a name")
	}
	name := strings.Join(args, " ")
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	if err := p.ModifyProfile(ctx, tim.UserProfileItem{NickName: &name}); err != nil {
		return fmt.Errorf("change your name: %w", err)
	}
	t.learn(tim.UserProfile{Identifier: t.me, NickName: name})
	t.note("you are " + t.call(t.me) + " now")
	return nil
}

func errNotHere(what string) error {
	return fmt.Errorf("this IM service has no way to %s", what)
}

// notSent says that a message was not sent.
func notSent(err error) error { return fmt.Errorf("not sent: %w", err) }

// count reads the one argument that says how many.
func count(args []string, otherwise int) (int, error) {
	if len(args) == 0 {
		return otherwise, nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 {
		return 0, badInput("", "%q is no number from 1", args[0])
	}
	return n, nil
}

// words are the parts of a line between spaces; double quotes hold a part with
// spaces together.
func words(line string) ([]string, error) {
	var (
		out    []string
		word   strings.Builder
		inside bool // a word
		quotes bool
	)
	for _, r := range line {
		switch {
		case r == '"':
			quotes, inside = !quotes, true
		case (r == ' ' || r == '\t' || r == '\n') && !quotes:
			if inside {
				out = append(out, word.String())
				word.Reset()
			}
			inside = false
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if quotes {
		return nil, errors.New(`a quotation mark (") has no second one`)
	}
	if inside {
		out = append(out, word.String())
	}
	return out, nil
}

// quoted is an argument as words reads it.
func quoted(word string) string {
	if strings.ContainsAny(word, " \t") || word == "" {
		return `"` + word + `"`
	}
	return word
}
