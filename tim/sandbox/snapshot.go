package sandbox

import (
	"context"
	"fmt"

	"github.com/timbridge/timbridge/journal"
)

// A snapshot has the messages in one section, each once. The other sections
// have everything else, and name messages by their place in the first. A
// snapshot of version 1 is read too; it has no more than messages and state.
const (
	snapshotVersion = 2
	sectionMessages = "messages"
	sectionState    = "state"
	sectionGroups   = "groups" // since version 2
)

// snapshotMark is the place of something in the snapshot that is being made.
// The lock guards it.
type snapshotMark struct {
	round uint64
	index uint64
}

// snapshotLoop saves a snapshot whenever enough was written, and deletes what
// neither of the two newest needs.
func (s *Sandbox) snapshotLoop() {
	for {
		select {
		case <-s.wakeSnapshot:
			if err := s.Snapshot(context.Background()); err != nil {
				s.log.Error("no snapshot could be saved; the journal grows until one can", "error", err)
				s.mu.Lock()
				s.sinceSnapshot /= 2 // not again at once
				s.mu.Unlock()
			}
		case <-s.stop:
			return
		}
	}
}

// Snapshot saves a snapshot now, and deletes the part of the journal that
// neither this one nor the one before needs. It happens by itself after every
// Limits.SnapshotBytes.
func (s *Sandbox) Snapshot(ctx context.Context) error {
	s.snapshotting.Lock()
	defer s.snapshotting.Unlock()
	s.mu.Lock()
	if err := s.usable("snapshot"); err != nil {
		s.mu.Unlock()
		return err
	}
	if s.position == s.lastSnapshot {
		s.mu.Unlock()
		return nil
	}
	position, b, since := s.position, s.settled(), s.sinceSnapshot
	w := newSnapshotWriter(s.st)
	state, groups := w.state(), w.groups()
	talk := w.talk()
	s.mu.Unlock()

	messages := w.messages()
	if err := b.wait(ctx, "snapshot"); err != nil {
		return err
	}
	err := s.journal.SaveSnapshot(ctx, journal.Snapshot{Position: position, Sections: []journal.Section{
		{Name: sectionMessages, Position: position, Body: messages},
		{Name: sectionState, Position: position, Body: state},
		{Name: sectionGroups, Position: position, Body: groups},
		{Name: sectionTalk, Position: position, Body: talk},
	}})
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	s.mu.Lock()
	before := s.lastSnapshot
	s.lastSnapshot = position
	s.sinceSnapshot -= since
	s.snapshotBytes = int64(len(messages) + len(state) + len(groups) + len(talk))
	s.mu.Unlock()
	// The journal keeps two snapshots. The older one still needs what follows it.
	if before == 0 {
		return nil
	}
	if _, err := s.journal.DeleteBefore(before + 1); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

// snapshotWriter writes a snapshot of a state.
type snapshotWriter struct {
	st    *state
	round uint64
	msgs  []*message
	in    []uint64 // the place of each one's conversation, plus one; 0 for none
	convs uint64
}

func newSnapshotWriter(st *state) *snapshotWriter {
	st.rounds++
	return &snapshotWriter{st: st, round: st.rounds}
}

// ref is the place of a message, which it gets when it is first met.
func (w *snapshotWriter) ref(m *message) uint64 {
	if m.mark.round != w.round {
		m.mark = snapshotMark{w.round, uint64(len(w.msgs))}
		w.msgs = append(w.msgs, m)
		in := uint64(0)
		if m.conv != nil {
			in = w.conv(m.conv) + 1
		}
		w.in = append(w.in, in)
	}
	return m.mark.index
}

// conv is the place of a conversation.
func (w *snapshotWriter) conv(c *conversation) uint64 {
	if c.mark.round != w.round {
		c.mark = snapshotMark{w.round, w.convs}
		w.convs++
	}
	return c.mark.index
}

// state writes everything but the messages. The caller holds the lock.
func (w *snapshotWriter) state() []byte {
	st, e := w.st, &encoder{}
	e.uint(snapshotVersion)
	e.time(st.lastTime)
	e.uint(st.lastTiny)
	e.uint(uint64(len(st.convs)))
	for _, c := range st.convs {
		w.conv(c)
	}
	for _, c := range st.convs {
		e.uint(c.mark.index)
		putKey(e, c.key)
		e.uint(c.seq)
		e.bool(c.last != nil)
		if c.last != nil {
			e.uint(w.ref(c.last))
		}
	}
	// The kept messages in the order in which they will go.
	e.uint(uint64(len(st.kept)))
	next := make(map[*conversation]int, len(st.convs))
	for _, c := range st.kept {
		e.uint(w.ref(c.msgs[next[c]]))
		next[c]++
	}
	e.uint(uint64(len(st.accounts)))
	for _, a := range st.accounts {
		w.account(e, a)
	}
	e.uint(uint64(len(st.groups)))
	for _, g := range st.groups {
		w.group(e, g)
	}
	w.resends(e)
	return e.b
}

func (w *snapshotWriter) account(e *encoder, a *account) {
	putString(e, a.id)
	e.uint(a.tiny)
	e.uint(a.number)
	e.uint(uint64(a.known))
	e.time(a.sigFloor)
	putDevices(e, a.devices)
	putDevices(e, a.kicked)
	e.uint(uint64(len(a.convs)))
	for c := range a.convs {
		e.uint(c.mark.index)
	}
	e.uint(uint64(len(a.inbox) - a.dead))
	for _, r := range a.inbox {
		if r.pending == 0 {
			continue
		}
		e.uint(r.number)
		e.uint(r.position)
		e.time(r.time)
		e.uint(uint64(r.pending))
		e.uint(uint64(r.kind))
		e.uint(w.ref(r.msg))
	}
}

func (w *snapshotWriter) resends(e *encoder) {
	r := &w.st.resent
	e.uint(uint64(len(r.c2c) + len(r.group)))
	for _, queue := range [][]resendKey{r.c2c, r.group} {
		for _, key := range queue {
			v := r.results[key]
			e.uint(key.conv.mark.index)
			putString(e, key.sender.id)
			e.uint(key.rand)
			e.uint(v.seq)
			e.time(v.time)
		}
	}
}

// messages writes the messages that were met. They do not change, so nothing
// needs to be locked.
func (w *snapshotWriter) messages() []byte {
	size := 64
	for _, m := range w.msgs {
		size += len(m.content) + 128
	}
	e := &encoder{make([]byte, 0, size)}
	e.uint(snapshotVersion)
	e.uint(uint64(len(w.msgs)))
	for i, m := range w.msgs {
		e.uint(w.in[i])
		putString(e, m.sender)
		e.uint(m.tiny)
		e.uint(uint64(m.platform))
		e.time(m.time)
		e.uint(m.seq)
		e.uint(m.rand)
		e.uint(uint64(m.flags))
		putString(e, m.revoker)
		putString(e, m.reason)
		e.bytes(m.content)
	}
	return e.b
}
