package journal

import "time"

// builder writes a segment under a temporary name.
type builder struct {
	fs   FS
	file File
	path string
	h    segmentHeader
	s    scanned
}

func (r *repairer) build(first uint64, prev uint32, created time.Time) (*builder, error) {
	b := &builder{fs: r.fs, path: r.path(segmentName(first))}
	b.h = segmentHeader{id: r.health.id, first: first, nonce: newNonce(), created: created.UnixNano(), prev: prev}
	b.s = newScanned(b.h)
	f, err := r.fs.Create(b.path + tempSuffix)
	if err != nil {
		return nil, err
	}
	b.file = f
	if _, err := f.WriteAt(b.h.encode(), 0); err != nil {
		return nil, b.giveUp(err)
	}
	return b, nil
}

// giveUp removes what was written and returns err.
func (b *builder) giveUp(err error) error {
	if b.file != nil {
		_ = b.file.Close()
		b.file = nil
	}
	_ = b.fs.Remove(b.path + tempSuffix)
	return err
}

// add writes a piece as a commit of its own.
func (b *builder) add(p piece) error {
	h := commitHeader{nonce: b.h.nonce, offset: b.s.end, first: p.first, synced: b.s.end, prev: b.s.chain}
	if p.first > b.s.next {
		h.flags |= flagGap
	}
	data := appendCommit(nil, &h, p.entries)
	if _, err := b.file.WriteAt(data, b.s.end); err != nil {
		return err
	}
	b.s.add(&commit{h, data})
	return nil
}

// finish ends the segment: at position next, and with a footer if link is not nil.
func (b *builder) finish(next uint64, link *uint32) error {
	if next > b.s.next || link == nil && !b.s.mark {
		if err := b.add(piece{first: next}); err != nil {
			return err
		}
	}
	if link != nil {
		t := trailer{
			nonce: b.h.nonce, end: b.s.end, next: b.s.next, entries: b.s.entries, commits: b.s.commits,
			firstTime: b.s.firstTime, lastTime: b.s.lastTime, chain: *link,
		}
		if _, err := b.file.WriteAt(t.footer(b.s.index), b.s.end); err != nil {
			return err
		}
	}
	if err := b.file.Sync(); err != nil {
		return err
	}
	f := b.file
	b.file = nil
	return f.Close()
}
