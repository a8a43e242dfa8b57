package main

import (
	"context"
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

// enter goes into a conversation: shows what was said last, and finds out
// whether there can be a talk at all. On an error the talk stays where it was.
func (t *talk) enter(ctx context.Context, conv tim.Conversation, count int) error {
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	t.hold()
	t.mu.Lock()
	left := t.conv
	t.conv = conv
	t.mu.Unlock()
	messages, err := t.past(ctx, conv, nil, maxHistory)
	if err != nil {
		t.mu.Lock()
		t.conv = left
		t.release()
		t.mu.Unlock()
		return err
	}
	before := backlog{messages: messages, whole: len(messages) < maxHistory}
	shown, missing := before.shown(t.me, count, t.unreadIn(ctx, conv))
	outside := ""
	if len(messages) > 0 {
		outside = t.outside(ctx, conv)
	}
	title := conv.ID
	if conv.Type == tim.ConvGroup {
		title = t.groupName(ctx, tim.GroupID(conv.ID))
	}
	t.learnNames(ctx, conv, messages)
	t.mu.Lock()
	t.recent, t.tips, t.peerRead, t.oldest, t.before = nil, nil, 0, nil, before
	delete(t.elsewhere, conv)
	if missing > 0 {
		t.note(fmt.Sprintf("%d earlier unread %s; /history %d shows what was said before this", missing, plural(int(missing), "message", "messages"), min(missing, maxHistory)))
	}
	for i := shown - 1; i >= 0; i-- {
		t.showLocked(messages[i])
	}
	if shown > 0 {
		oldest := messages[shown-1]
		t.oldest = &oldest
	}
	t.release()
	me := t.names.full(t.me)
	read := ""
	if last := t.lastOwn(1); last != nil && last.IsPeerRead && sameMessage(*last, t.recent[len(t.recent)-1]) {
		t.peerRead = last.ServerTime
		read = t.names.of(tim.UserID(conv.ID)) + " has read it"
	}
	if conv.Type == tim.ConvC2C {
		title = t.names.of(tim.UserID(conv.ID))
	}
	t.mu.Unlock()
	if read != "" {
		t.note(read)
	}
	if outside == "" {
		t.note(fmt.Sprintf("you are %s, %s; a line is a message, /help lists what else there is, Ctrl-D ends", me, where(conv, title)))
	} else {
		t.note(fmt.Sprintf("you are %s, no longer %s%s, /help lists what else there is, Ctrl-D ends", me, where(conv, title), outside))
	}
	t.screen.setPrompt(title)
	t.watch(ctx, conv)
	t.markRead(ctx)
	return nil
}

// hold has what happens wait until release, to be told below what was said before it.
func (t *talk) hold() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holding = true
}

// release tells what was held. t.mu is held.
func (t *talk) release() {
	held := t.held
	t.holding, t.held = false, nil
	for _, f := range held {
		f()
	}
}

// unreadIn is how many messages of a conversation wait for the user, as far as
// the service tells.
func (t *talk) unreadIn(ctx context.Context, conv tim.Conversation) uint64 {
	h, ok := t.client.(tim.History)
	if !ok {
		return 0
	}
	all, err := h.Conversations(ctx)
	if err != nil {
		return 0 // no more is shown than was asked for
	}
	for i := range all {
		if all[i].ConvType == conv.Type && all[i].ConvID == conv.ID {
			return all[i].UnreadNum
		}
	}
	return 0
}

// outside says, as the end of a sentence, why the user cannot talk in a
// conversation that can be read: who has left a group, or was removed, still
// reads there what was said before, and so does everybody in one that was
// dismissed. It is empty for who can talk, and where it cannot be known.
func (t *talk) outside(ctx context.Context, conv tim.Conversation) string {
	g, ok := t.client.(tim.Groups)
	if !ok || conv.Type != tim.ConvGroup {
		return ""
	}
	page, err := g.Members(ctx, tim.GroupGetMemberInfoListParam{GroupID: tim.GroupID(conv.ID), Identifiers: []tim.UserID{t.me}})
	switch code := tim.CodeOf(err); {
	case code == tim.CodeSvrGroupNotFound:
		return ", which was dismissed: nobody sees what you say here; /to and /group go elsewhere"
	case err == nil && len(page.Infos) == 0, code == tim.CodeSvrGroupPermissionDeny:
		return fmt.Sprintf(": nobody sees what you say here; /join %s asks to come in", quoted(conv.ID))
	}
	return ""
}

// where says in which conversation one is.
func where(conv tim.Conversation, title string) string {
	switch {
	case conv.Type == tim.ConvC2C:
		return "talking to " + title
	case title == conv.ID:
		return "in the group " + title
	}
	return "in the group " + title + " (" + conv.ID + ")"
}

// past reads messages, newest first, before one, or the newest.
func (t *talk) past(ctx context.Context, conv tim.Conversation, before *tim.Message, count int) ([]tim.Message, error) {
	h, ok := t.client.(tim.History)
	if !ok {
		return nil, nil
	}
	messages, err := h.Messages(ctx, conv, tim.HistoryQuery{Before: before, Count: count})
	switch code := tim.CodeOf(err); {
	case code == tim.CodeSvrGroupHistoryNotSupported: // a room for those who are there
		return nil, nil
	case code == tim.CodeSvrGroupNotFound:
		return nil, badInput("\"timbridge group create\" makes one and prints its id", "%w", err)
	case code == tim.CodeSvrGroupPermissionDeny:
		return nil, badInput(fmt.Sprintf("timbridge group invite %s --member %s", conv.ID, t.me), "%s is not in the group %s: %w", t.me, conv.ID, err)
	case err != nil:
		return nil, fmt.Errorf("read what was said before: %w", err)
	}
	return messages, nil
}

// groupName is what a group is called; its id where that cannot be known.
func (t *talk) groupName(ctx context.Context, group tim.GroupID) string {
	g, ok := t.client.(tim.Groups)
	if !ok {
		return string(group)
	}
	infos, err := g.GroupsInfo(ctx, []tim.GroupID{group})
	if err != nil || len(infos) != 1 || infos[0].Info == nil || infos[0].Info.GroupName == "" {
		return string(group)
	}
	return plain(infos[0].Info.GroupName)
}

// namesAtOnce bounds the members whose names are asked for on entry.
const namesAtOnce = 100

// learnNames asks what the people of a conversation are called. Without an
// answer they are called by their ids.
func (t *talk) learnNames(ctx context.Context, conv tim.Conversation, messages []tim.Message) {
	asked := []tim.UserID{t.me}
	seen := map[tim.UserID]bool{t.me: true}
	add := func(u tim.UserID) {
		if u != "" && u != tim.SystemUser && !seen[u] && len(asked) < namesAtOnce {
			seen[u] = true
			asked = append(asked, u)
		}
	}
	if conv.Type == tim.ConvC2C {
		add(tim.UserID(conv.ID))
	}
	for _, m := range messages {
		add(m.Sender)
	}
	if g, ok := t.client.(tim.Groups); ok && conv.Type == tim.ConvGroup {
		t.mu.Lock()
		t.names.cards = map[tim.UserID]string{}
		t.mu.Unlock()
		if page, err := g.Members(ctx, tim.GroupGetMemberInfoListParam{GroupID: tim.GroupID(conv.ID)}); err == nil {
			t.mu.Lock()
			for _, m := range page.Infos {
				t.names.learnMember(m)
				add(m.Identifier)
			}
			t.mu.Unlock()
		}
	}
	if p, ok := t.client.(tim.Profiles); ok {
		if profiles, err := p.Profiles(ctx, asked); err == nil {
			t.learn(profiles...)
		}
	}
}

// watch has the person told when the other user comes and goes, where the
// service can do that.
func (t *talk) watch(ctx context.Context, conv tim.Conversation) {
	if p, ok := t.client.(tim.Presence); ok && conv.Type == tim.ConvC2C && t.screen.personal() {
		_ = p.SubscribeStatus(ctx, []tim.UserID{tim.UserID(conv.ID)}) // it is a nicety: without it nothing is told
	}
}

// markRead says that what was shown was read, where the service can be told.
func (t *talk) markRead(ctx context.Context) {
	r, ok := t.client.(tim.Reader)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	t.mu.Lock()
	conv := t.conv
	var asked []tim.Message
	for i, m := range t.recent {
		if m.NeedReadReceipt && m.Sender != t.me && !m.HasSentReceipt {
			asked = append(asked, m)
			t.recent[i].HasSentReceipt = true
		}
	}
	t.mu.Unlock()
	// A mark that does not arrive is made good by the next one.
	_ = r.MarkRead(ctx, conv, nil)
	if len(asked) > 0 {
		_ = r.SendReadReceipts(ctx, asked)
	}
}
