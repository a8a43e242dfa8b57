package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// talk is a person, or a program, in one conversation at a time.
type talk struct {
	*env
	me     tim.UserID
	screen screen
	client tim.Client
	ended  chan error    // the end, for a reason that is no line's
	unread chan struct{} // something was shown that is not marked as read yet

	mu        sync.Mutex // guards what is below, and the order of what is shown
	conv      tim.Conversation
	names     *names
	recent    []tim.Message // of the conversation, as they were shown
	oldest    *tim.Message  // of what was shown on entry or by /history; not changed
	before    backlog       // what had been said when the conversation was entered
	holding   bool          // that is being read: what happens meanwhile waits in held
	held      []func()
	tips      []string                  // what the last tips said, and when
	elsewhere map[tim.Conversation]bool // others that were told of
	peerRead  uint64                    // up to when the other user was said to have read
	away      bool                      // the connection is lost
	uploading time.Time                 // when progress was last told
}

func newTalk(e *env, me tim.UserID, s screen) *talk {
	t := &talk{
		env: e, me: me, screen: s, ended: make(chan error, 1), unread: make(chan struct{}, 1),
		names: newNames(), elsewhere: map[tim.Conversation]bool{},
	}
	if typed, ok := s.(*typedScreen); ok {
		typed.complete = t.complete
	}
	return t
}

// maxRecent bounds the messages that are remembered, so that one that comes
// twice is shown once, and can be recalled.
const maxRecent = 1000

// typedAhead bounds the lines that wait while one is being sent.
const typedAhead = 16

func (t *talk) end(err error) {
	select {
	case t.ended <- err:
	default:
	}
}

// note tells something that nobody said.
func (t *talk) note(text string) {
	if err := t.screen.note(text); err != nil {
		t.end(err)
	}
}

// list prints a line of what was asked for.
func (t *talk) list(text string, v any) {
	if err := errors.Join(t.screen.list(text), t.screen.document(v)); err != nil {
		t.end(err)
	}
}

// call is what a user is called.
func (t *talk) call(user tim.UserID) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names.of(user)
}

// callFull is that with the id.
func (t *talk) callFull(user tim.UserID) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names.full(user)
}

// here is the conversation that is talked in.
func (t *talk) here() tim.Conversation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conv
}

// inOrder runs f with t.mu held: now, or, while what was said before is being
// read, below that.
func (t *talk) inOrder(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holding {
		t.held = append(t.held, f)
		return
	}
	f()
}

// show prints a message of the conversation, once; a changed one again.
func (t *talk) show(m tim.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.showLocked(m)
}

// showLocked is show with t.mu held.
func (t *talk) showLocked(m tim.Message) {
	if m.Conversation() != t.conv {
		return // what was on its way when the person went elsewhere
	}
	changed := false
	if i := t.find(m); i >= 0 {
		if t.recent[i].Version >= m.Version {
			return
		}
		t.recent[i], changed = m, true
	} else {
		t.recent = append(t.recent, m)
		t.recent = t.recent[max(0, len(t.recent)-maxRecent):]
	}
	t.names.learnFrom(m)
	if err := errors.Join(t.sayMessage(m, changed), t.screen.document(m)); err != nil {
		t.end(err)
	}
}

// sayMessage prints a message for people. t.mu is held.
func (t *talk) sayMessage(m tim.Message, changed bool) error {
	var texts []string
	who := t.names.of(m.Sender) + ":"
	if changed || m.Version > 0 {
		who = t.names.of(m.Sender) + " (changed):"
	}
	for _, el := range m.Elems {
		if tip, ok := el.(tim.GroupTipsElem); ok {
			if !t.newTip(tip) {
				return nil
			}
			who = "·" // nobody said it
		}
		texts = append(texts, elementText(el, t.names.of))
	}
	if m.Status == tim.MsgRevoked {
		texts = []string{"(recalled)"}
	}
	return t.screen.say(timeOf(m.ServerTime, time.Now()), who, strings.Join(texts, " "))
}

// find is the index of a message in t.recent, -1 for none. t.mu is held.
func (t *talk) find(m tim.Message) int {
	for i := len(t.recent) - 1; i >= 0; i-- {
		if sameMessage(t.recent[i], m) {
			return i
		}
	}
	return -1
}

// sameMessage says whether two messages of one conversation are the same, in
// whatever version.
func sameMessage(a, b tim.Message) bool {
	if a.ConvType == tim.ConvGroup && a.Seq != 0 {
		return a.Seq == b.Seq
	}
	return a.Seq == b.Seq && a.Rand == b.Rand && a.ServerTime == b.ServerTime
}

// newTip says whether a tip was not shown yet: members are told of one by a
// stored message, by a report, or by both. t.mu is held.
func (t *talk) newTip(tip tim.GroupTipsElem) bool {
	key := tipText(tip, func(u tim.UserID) string { return string(u) }) + "\x00" + timeOf(tip.Time, time.Time{})
	if slices.Contains(t.tips, key) {
		return false
	}
	t.tips = append(t.tips, key)
	t.tips = t.tips[max(0, len(t.tips)-maxRecent):]
	return true
}

// timeOf is a time of day, with the day where it is not today's.
func timeOf(at uint64, now time.Time) string {
	if at > uint64(maxSeconds) {
		at = 0
	}
	when := time.Unix(int64(at), 0)
	if when.Year() == now.Year() && when.YearDay() == now.YearDay() {
		return when.Format(time.TimeOnly)
	}
	return when.Format(time.DateTime)
}

// loop sends each line until there is none left.
func (t *talk) loop(ctx context.Context) error {
	type line struct {
		text string
		err  error
	}
	lines := make(chan line, typedAhead)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Reading a terminal cannot be interrupted: the reader is left behind when
	// the talk ends for another reason, and the process ends right after.
	go func() {
		for {
			text, err := t.screen.readLine()
			select {
			case lines <- line{text, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-t.ended:
			return err
		case <-t.unread:
			t.markRead(ctx)
		case l := <-lines:
			if l.err != nil {
				t.linger(ctx)
				if errors.Is(l.err, io.EOF) {
					return nil
				}
				return l.err
			}
			switch err := t.do(ctx, l.text); {
			case err == nil:
			case errors.Is(err, errQuit):
				return nil
			case ctx.Err() != nil:
				return nil
			case !t.screen.personal():
				return err
			default:
				t.note(advice(err))
			}
		}
	}
}

// advice is an error with what to do about it, in a line.
func advice(err error) string {
	if _, hint := judge(err); hint != "" {
		return err.Error() + "; " + hint
	}
	return err.Error()
}

// linger lets what is on its way arrive, where the lines came from a program.
func (t *talk) linger(ctx context.Context) {
	if t.screen.personal() {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(300 * time.Millisecond):
	}
	select {
	case <-t.unread:
		t.markRead(ctx)
	default:
	}
}

// do sends a line, or does what it says where it is a command.
func (t *talk) do(ctx context.Context, line string) error {
	if err := checkEncoding("the line", line); err != nil {
		return err
	}
	if rest, ok := strings.CutPrefix(line, "/"); ok && !strings.HasPrefix(rest, "/") {
		return t.command(ctx, rest)
	}
	if strings.HasPrefix(line, "//") {
		line = line[1:]
	}
	if strings.TrimSpace(line) == "" {
		return nil
	}
	return t.send(ctx, tim.TextElem{Content: line}, chatWait)
}

// send says something.
func (t *talk) send(ctx context.Context, el tim.Elem, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m, err := t.client.Send(ctx, t.here(), tim.Message{Elems: []tim.Elem{el}})
	if err != nil {
		return notSent(err)
	}
	t.show(m)
	return nil
}
