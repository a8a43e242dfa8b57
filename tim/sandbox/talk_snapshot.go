package sandbox

import (
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

// sectionTalk is the section with what this file writes. It came later than
// the others: a snapshot without it is of a sandbox that had nothing of it.
const (
	sectionTalk = "talk"
	talkVersion = 1
)

// talk writes what was done to messages, how far accounts have read, what they
// say of themselves, and files. It follows state and groups, which say what
// messages there are. The caller holds the lock.
func (w *snapshotWriter) talk() []byte {
	e := &encoder{}
	e.uint(talkVersion)
	w.changes(e)
	e.uint(uint64(len(w.st.accounts)))
	for _, a := range w.st.accounts {
		putString(e, a.id)
		e.uint(uint64(len(a.places)))
		for c, p := range a.places {
			e.uint(w.conv(c))
			e.uint(p.read)
			e.uint(p.cleared)
			e.uint(uint64(len(p.erased)))
			for seq := range p.erased {
				e.uint(seq)
			}
		}
		var profile []byte
		if a.profile != nil {
			var err error
			if profile, err = a.profile.MarshalJSON(); err != nil {
				panic("sandbox: a profile cannot be written: " + err.Error())
			}
		}
		e.bytes(profile)
	}
	e.uint(uint64(len(w.st.library.files)))
	for _, m := range w.st.library.files {
		putFile(e, m.mediaFile)
		e.bool(m.pic != nil)
		if m.pic != nil {
			putPicture(e, *m.pic)
			putFile(e, m.thumb)
			putFile(e, m.large)
		}
	}
	return e.b
}

// changes writes of the messages how often they were changed and who has read
// them, where there is something to say.
func (w *snapshotWriter) changes(e *encoder) {
	var changed []*message
	for _, m := range w.msgs {
		if m.version > 0 || m.receipt != nil {
			changed = append(changed, m)
		}
	}
	e.uint(uint64(len(changed)))
	for _, m := range changed {
		e.uint(m.mark.index)
		e.uint(m.version)
		e.bool(m.receipt != nil)
		if m.receipt == nil {
			continue
		}
		e.uint(uint64(m.receipt.of))
		e.uint(uint64(len(m.receipt.readers)))
		for user := range m.receipt.readers {
			putString(e, user)
		}
	}
}

func (r *snapshotReader) readTalk() error {
	d := r.d
	if v := d.uint(); d.err == nil && v != talkVersion {
		return fmt.Errorf("sandbox: snapshot with a section %q of version %d, known is %d: written by a newer program", sectionTalk, v, talkVersion)
	}
	r.changes()
	for range d.count() {
		r.accountTalk()
	}
	for range d.count() {
		f := getFile(d)
		m := r.st.library.add(f)
		if !d.bool() {
			continue
		}
		pic := getPicture(d)
		m.pic, m.thumb, m.large = &pic, getFile(d), getFile(d)
	}
	return d.end()
}

func (r *snapshotReader) changes() {
	d := r.d
	// A message that was changed twice shares its receipt with nobody else: a
	// copy takes the place of the one before, which may still wait in inboxes.
	shared := map[receiptKey]*receipt{}
	for range d.count() {
		m := r.msg()
		if m == nil {
			return
		}
		m.version = d.uint()
		if !d.bool() {
			continue
		}
		got := &receipt{of: int(d.uint())}
		for range d.count() {
			if got.readers == nil {
				got.readers = map[tim.UserID]struct{}{}
			}
			got.readers[getString[tim.UserID](d)] = struct{}{}
		}
		key := receiptKey{m.conv, m.seq}
		if shared[key] == nil {
			shared[key] = got
		}
		m.receipt = shared[key]
	}
}

// receiptKey is what the copies of one message have in common.
type receiptKey struct {
	conv *conversation
	seq  uint64
}

func (r *snapshotReader) accountTalk() {
	d := r.d
	a := r.st.accounts[getString[tim.UserID](d)]
	if a == nil {
		d.fail()
		return
	}
	for range d.count() {
		p := a.placeIn(r.conv())
		p.read, p.cleared = d.uint(), d.uint()
		for range d.count() {
			if p.erased == nil {
				p.erased = map[uint64]struct{}{}
			}
			p.erased[d.uint()] = struct{}{}
		}
	}
	if profile := d.bytes(); len(profile) > 0 {
		if a.profile = decodeProfile(profile); a.profile == nil {
			d.fail()
		}
	}
}
