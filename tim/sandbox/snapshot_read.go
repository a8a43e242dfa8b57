package sandbox

import (
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

// decodeSnapshot makes a state of a snapshot.
func decodeSnapshot(snap journal.Snapshot, limits Limits) (*state, error) {
	messages, ok1 := snap.Section(sectionMessages)
	rest, ok2 := snap.Section(sectionState)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("sandbox: snapshot at %d is not a sandbox's", snap.Position)
	}
	r := &snapshotReader{st: newState(limits), d: &decoder{b: messages.Body}}
	if err := r.readMessages(); err != nil {
		return nil, err
	}
	r.d = &decoder{b: rest.Body}
	if err := r.readState(); err != nil {
		return nil, err
	}
	if groups, ok := snap.Section(sectionGroups); ok {
		r.d = &decoder{b: groups.Body}
		if err := r.readGroups(); err != nil {
			return nil, err
		}
	} else if r.v > 1 {
		return nil, fmt.Errorf("sandbox: snapshot at %d has no groups", snap.Position)
	}
	if talk, ok := snap.Section(sectionTalk); ok {
		r.d = &decoder{b: talk.Body}
		if err := r.readTalk(); err != nil {
			return nil, err
		}
	}
	return r.st, nil
}

// snapshotReader reads a snapshot into a state.
type snapshotReader struct {
	v     uint64 // its version
	st    *state
	d     *decoder
	msgs  []*message
	in    []uint64
	convs []*conversation
}

func (r *snapshotReader) version() error {
	r.v = r.d.uint()
	if r.d.err == nil && (r.v == 0 || r.v > snapshotVersion) {
		return fmt.Errorf("sandbox: snapshot of version %d, known is %d: written by a newer program", r.v, snapshotVersion)
	}
	return r.d.err
}

func (r *snapshotReader) readMessages() error {
	if err := r.version(); err != nil {
		return err
	}
	d := r.d
	for range d.count() {
		r.in = append(r.in, d.uint())
		r.msgs = append(r.msgs, &message{
			sender: getString[tim.UserID](d), tiny: d.uint(), platform: getPlatform(d), time: d.time(),
			seq: d.uint(), rand: d.uint(), flags: uint8(d.uint()),
			revoker: getString[tim.UserID](d), reason: getString[string](d), content: slices.Clone(d.bytes()),
		})
	}
	return d.end()
}

func (r *snapshotReader) readState() error {
	if err := r.version(); err != nil {
		return err
	}
	st, d := r.st, r.d
	st.lastTime, st.lastTiny = d.time(), d.uint()
	r.convs = make([]*conversation, d.count())
	for range r.convs {
		i := d.uint()
		c := &conversation{key: getKey(d), seq: d.uint()}
		if d.bool() {
			c.last = r.msg()
		}
		if i >= uint64(len(r.convs)) || r.convs[i] != nil {
			d.fail()
			return d.err
		}
		r.convs[i] = c
		st.convs[c.key] = c
	}
	for i, in := range r.in {
		if in > uint64(len(r.convs)) {
			d.fail()
			return d.err
		} else if in > 0 {
			r.msgs[i].conv = r.convs[in-1]
		}
	}
	for range d.count() {
		m := r.msg()
		if m == nil || m.conv == nil {
			d.fail()
			break
		}
		m.conv.msgs = append(m.conv.msgs, m)
		st.kept = append(st.kept, m.conv)
		st.bytes += m.size()
	}
	for range d.count() {
		r.account()
	}
	for range d.count() {
		r.group()
	}
	r.resends()
	return d.end()
}

// msg reads the place of a message, and gives the message; nil on a mistake.
func (r *snapshotReader) msg() *message {
	i := r.d.uint()
	if i >= uint64(len(r.msgs)) {
		r.d.fail()
		return nil
	}
	return r.msgs[i]
}

func (r *snapshotReader) conv() *conversation {
	i := r.d.uint()
	if i >= uint64(len(r.convs)) {
		r.d.fail()
		return &conversation{}
	}
	return r.convs[i]
}

func (r *snapshotReader) account() {
	d := r.d
	a := &account{
		id: getString[tim.UserID](d), tiny: d.uint(), number: d.uint(), known: uint16(d.uint()),
		sigFloor: d.time(), devices: getDevices(d), kicked: getDevices(d), convs: map[*conversation]struct{}{},
	}
	for range d.count() {
		a.convs[r.conv()] = struct{}{}
	}
	for range d.count() {
		v := report{
			number: d.uint(), position: d.uint(), time: d.time(),
			pending: uint16(d.uint()), kind: reportKind(d.uint()), msg: r.msg(),
		}
		switch {
		case v.msg == nil || v.pending == 0 || v.kind > lastReportKind:
			d.fail()
			return
		case v.msg.is(flagOnline): // for those online when it was sent
			continue
		}
		a.inbox = append(a.inbox, v)
	}
	r.st.accounts[a.id] = a
}

func (r *snapshotReader) resends() {
	d, st := r.d, r.st
	for range d.count() {
		key := resendKey{conv: r.conv(), sender: st.accounts[getString[tim.UserID](d)], rand: d.uint()}
		v := resend{d.uint(), d.time()}
		if key.sender == nil {
			d.fail()
			return
		}
		st.resent.put(key, v)
	}
	st.resent.expire(st.lastTime)
}
