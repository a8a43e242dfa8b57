package journal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// lostEnd is how far positions move on when the end of the log is lost and
// nothing says how far it went: more than any segment's worth, so that none of
// them is used again.
const lostEnd = 1 << 32

// RepairReport is what Repair did.
type RepairReport struct {
	Damaged []Stretch // lost; empty when only indexes, or snapshots that can be built again, were damaged
	KeptAs  []string  // the damaged files, kept aside under these names
	Entries uint64    // that can be read now
}

// Repair goes on with every entry that can be read: a damaged segment is kept
// aside under another name and written anew without what was lost. Positions do
// not shift and are not used again. The lost stretches are recorded, see
// [Journal.Repairs]; where nothing says how far positions went, the last stretch
// ends far beyond. Where entries were deleted and no snapshot is left that was
// built from them, all that came before the first entry is such a stretch.
// Ending it at any point and starting it again is safe; a journal that is well
// is left alone. fsys nil is the operating system's.
func Repair(dir string, fsys FS) (report RepairReport, err error) {
	if fsys == nil {
		fsys = OS{}
	}
	l, err := readLayout(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !l.exists() {
		return report, fmt.Errorf("%w: %s", ErrNotFound, dir)
	}
	if err != nil {
		return report, err
	}
	lock, err := takeLock(fsys, dir)
	if err != nil {
		return report, err
	}
	defer lock.Close()
	r := repairer{dir: dir, fs: fsys}
	if err := r.run(); err != nil {
		return r.report, fmt.Errorf("journal: repair: %w", err)
	}
	return r.report, nil
}

type repairer struct {
	dir    string
	fs     FS
	health health
	report RepairReport
}

// examine reads the directory anew.
func (r *repairer) examine() error {
	l, err := readLayout(r.fs, r.dir)
	if err != nil {
		return err
	}
	r.health = health{dir: r.dir, fs: r.fs, layout: l}
	return r.health.examine()
}

// run repairs in an order in which every step leaves a journal that the next
// Repair understands as well as this one.
func (r *repairer) run() error {
	// What was renamed when an earlier repair was killed may not be durable.
	if err := r.fs.SyncDir(r.dir); err != nil {
		return err
	}
	if err := r.examine(); err != nil {
		return err
	}
	for _, name := range r.health.layout.temps {
		if err := r.fs.Remove(r.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if r.health.wrongID || len(r.health.across) > 0 {
		if r.health.wrongID { // Open writes it anew
			if err := r.setAside(idName); err != nil {
				return err
			}
		}
		for _, x := range r.health.across {
			if err := r.setAside(x.name.name); err != nil {
				return err
			}
		}
		if err := r.examine(); err != nil {
			return err
		}
	}
	if err := r.mendRecord(); err != nil {
		return err
	}
	if len(r.health.damage) > 0 {
		if !r.health.idKnown {
			return errors.New("nothing is left that says which journal this is")
		}
		if err := r.segments(); err != nil {
			return err
		}
	}
	if err := r.snapshots(); err != nil {
		return err
	}
	if err := r.examine(); err != nil {
		return err
	}
	for _, x := range r.health.segments {
		r.report.Entries += x.got.entries
	}
	if len(r.health.damage) > 0 {
		return fmt.Errorf("it is still damaged: %w", r.health.damage[0])
	}
	return nil
}

func (r *repairer) path(name string) string { return filepath.Join(r.dir, name) }

// segments goes through the log from its beginning: it fills holes and writes
// damaged segments anew.
func (r *repairer) segments() error {
	xs := r.health.segments
	next := uint64(1)  // the first position of what comes next
	chain := uint32(0) // and what its header has to refer to
	var from time.Time
	for i, x := range xs {
		active := i == len(xs)-1 && !x.sealed
		if i == 0 {
			chain = x.header.prev
		}
		if x.missing != 0 {
			link := chain
			if x.intact {
				link = x.header.prev
			}
			lost := Stretch{
				First: x.missing, Last: x.name.first - 1, From: from, To: unixTime(x.got.firstTime),
				Segment: segmentName(x.missing), Reason: errMissing.Error(),
			}
			if err := r.fill(lost, chain, &link); err != nil {
				return err
			}
			chain = link
		}
		var link *uint32 // what the next one's header refers to; nil at the end
		if !active {
			link = new(uint32)
			*link = x.got.chain
			if i+1 < len(xs) && xs[i+1].intact && xs[i+1].missing == 0 {
				*link = xs[i+1].header.prev
			}
		}
		next = x.expect
		beyond := next
		if active {
			beyond = r.end(x)
		}
		// Once there is anything to repair, a rotation that a crash interrupted
		// is finished too: its successor may get commits here.
		unsealed := !active && !x.sealed
		if len(x.damage) > 0 || !x.intact || unsealed || beyond != next {
			if err := r.rewrite(x, chain, link, beyond); err != nil {
				return err
			}
			if link != nil {
				chain = *link
			}
		} else {
			chain = x.trailer.chain
		}
		from = unixTime(x.got.lastTime)
	}
	if len(xs) > 0 && !xs[len(xs)-1].sealed {
		return nil
	}
	// The last segment is gone, and with it how far positions went.
	lost := Stretch{
		First: next, Last: max(next, r.lastSnapshot()) + lostEnd - 1, From: from,
		Segment: segmentName(next), Reason: errMissing.Error(),
	}
	return r.fill(lost, chain, nil)
}

// end returns where positions go on after the last segment.
func (r *repairer) end(x *examined) uint64 {
	next := x.expect
	unknown := !x.intact && x.got.commits == 0 && x.size > segmentHeaderSize
	if p := r.lastSnapshot(); p >= next {
		next, unknown = p+1, true
	}
	if unknown {
		next += lostEnd
	}
	return next
}

func (r *repairer) lastSnapshot() (position uint64) {
	for _, s := range r.health.layout.snapshots {
		position = max(position, s.position)
	}
	return position
}

// fill puts an empty segment in the place of a missing one; sealed if link, what
// its successor refers to, is not nil.
func (r *repairer) fill(lost Stretch, prev uint32, link *uint32) error {
	b, err := r.build(lost.First, prev, time.Now())
	if err != nil {
		return err
	}
	if err := b.finish(lost.Last+1, link); err != nil {
		return b.giveUp(err)
	}
	if err := r.record(lost); err != nil {
		return b.giveUp(err)
	}
	return r.place(b)
}

// rewrite keeps a segment aside and puts one in its place that has what can be
// read. next is the position after its last one; chain and link are what its
// header refers to and what its successor's does.
func (r *repairer) rewrite(x *examined, prev uint32, link *uint32, next uint64) error {
	f, err := r.fs.Open(r.path(x.name.name))
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := r.build(x.name.first, prev, time.Unix(0, x.header.created))
	if err != nil {
		return err
	}
	s := salvage{
		dir: r.dir, name: x.name.name, file: patientFile{f}, header: x.header, intact: x.intact,
		limit: x.limit, complete: x.complete, until: x.until, sealed: x.sealed,
	}
	if err := s.run(b.add); err != nil {
		return b.giveUp(err)
	}
	if err := b.finish(next, link); err != nil {
		return b.giveUp(err)
	}
	kept, err := r.keep(x.name.name)
	if err != nil {
		return b.giveUp(err)
	}
	var lost []Stretch
	for _, e := range s.damage {
		if e.First != 0 {
			lost = append(lost, Stretch{
				First: e.First, Last: e.Last, From: e.From, To: e.To, Segment: e.Segment, KeptAs: kept, Reason: e.Reason,
			})
		}
	}
	if next > s.expect {
		lost = append(lost, Stretch{
			First: s.expect, Last: next - 1, From: unixTime(s.got.lastTime), Segment: x.name.name, KeptAs: kept,
			Reason: "the end of the log is missing",
		})
	}
	if err := r.record(lost...); err != nil {
		return b.giveUp(err)
	}
	return r.place(b)
}

// place gives a finished segment its name.
func (r *repairer) place(b *builder) error {
	if err := r.fs.Rename(b.path+tempSuffix, b.path); err != nil {
		return b.giveUp(err)
	}
	return r.fs.SyncDir(r.dir)
}

// keep gives a file a second name under which it stays, and returns it. The
// file itself stays where it is until another one replaces it, so that no crash
// leaves a hole.
func (r *repairer) keep(name string) (kept string, err error) {
	for n := 1; ; n++ {
		kept = name + damagedInfix + strconv.Itoa(n)
		same, err := r.sameFile(name, kept)
		if err != nil {
			return "", err
		}
		if same { // an earlier repair came this far
			break
		}
		err = r.fs.Link(r.path(name), r.path(kept))
		if errors.Is(err, errors.ErrUnsupported) {
			err = r.copyFile(name, kept)
		}
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		break
	}
	if !slices.Contains(r.report.KeptAs, kept) {
		r.report.KeptAs = append(r.report.KeptAs, kept)
	}
	return kept, r.fs.SyncDir(r.dir)
}

// sameFile reports whether the second file is there and has the contents of the first.
func (r *repairer) sameFile(a, b string) (bool, error) {
	fb, err := r.fs.Open(r.path(b))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer fb.Close()
	fa, err := r.fs.Open(r.path(a))
	if err != nil {
		return false, err
	}
	defer fa.Close()
	na, err := fa.Size()
	if err != nil {
		return false, err
	}
	if nb, err := fb.Size(); err != nil || na != nb {
		return false, err
	}
	pa, pb := make([]byte, readChunk), make([]byte, readChunk)
	for off := int64(0); off < na; off += readChunk {
		n := min(readChunk, na-off)
		if _, err := readFull(patientFile{fa}, pa[:n], off); err != nil {
			return false, err
		}
		if _, err := readFull(patientFile{fb}, pb[:n], off); err != nil {
			return false, err
		}
		if !bytes.Equal(pa[:n], pb[:n]) {
			return false, nil
		}
	}
	return true, nil
}

// copyFile is for file systems without links. A copy that a crash cut short has
// other contents and is left; the next repair takes the next name.
func (r *repairer) copyFile(from, to string) error {
	src, err := r.fs.Open(r.path(from))
	if err != nil {
		return err
	}
	defer src.Close()
	size, err := src.Size()
	if err != nil {
		return err
	}
	if existing, err := r.fs.Open(r.path(to)); err == nil {
		_ = existing.Close()
		return fs.ErrExist
	}
	dst, err := r.fs.Create(r.path(to))
	if err != nil {
		return err
	}
	buf := make([]byte, readChunk)
	for off := int64(0); off < size; off += readChunk {
		n := min(readChunk, size-off)
		if _, err := readFull(patientFile{src}, buf[:n], off); err != nil {
			return errors.Join(err, dst.Close())
		}
		if _, err := dst.WriteAt(buf[:n], off); err != nil {
			return errors.Join(err, dst.Close())
		}
	}
	if err := dst.Sync(); err != nil {
		return errors.Join(err, dst.Close())
	}
	return dst.Close()
}

// setAside takes a file out of the journal.
func (r *repairer) setAside(name string) error {
	if _, err := r.keep(name); err != nil {
		return err
	}
	if err := r.fs.Remove(r.path(name)); err != nil {
		return err
	}
	return r.fs.SyncDir(r.dir)
}

// snapshots sets damaged snapshots aside.
func (r *repairer) snapshots() error {
	good := 0
	for _, f := range r.health.layout.snapshots {
		s := inspectSnapshot(r.fs, r.dir, f, r.health.id)
		if s.Err == nil {
			good++
			continue
		}
		if !errors.Is(s.Err, ErrCorrupt) {
			return s.Err
		}
		if err := r.setAside(f.name); err != nil {
			return err
		}
	}
	if good > 0 {
		return nil
	}
	return r.forgotten()
}

// forgotten records that what was built from deleted entries is gone with the
// last snapshot, unless that is recorded already.
func (r *repairer) forgotten() error {
	if err := r.examine(); err != nil {
		return err
	}
	xs := r.health.segments
	if len(xs) == 0 || xs[0].name.first <= 1 {
		return nil
	}
	last := xs[0].name.first - 1
	known, err := readRepairs(r.fs, r.dir)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(known, func(s Stretch) bool { return s.First == 1 && s.Last >= last }) {
		return nil
	}
	return r.record(Stretch{
		First: 1, Last: last, To: unixTime(xs[0].got.firstTime), Segment: xs[0].name.name,
		Reason: "its entries are deleted, and no snapshot is left that was built from them",
	})
}

// record adds to the stretches that Repairs tells. It comes before the damage
// is gone, so that a repair that is ended in between finds both again.
func (r *repairer) record(lost ...Stretch) error {
	if len(lost) == 0 {
		return nil
	}
	r.report.Damaged = append(r.report.Damaged, lost...)
	all, err := readRepairs(r.fs, r.dir)
	if err != nil {
		return err
	}
	for _, s := range lost {
		all = slices.DeleteFunc(all, func(o Stretch) bool { return o.First == s.First && o.Last == s.Last })
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Stretch) int { return cmp.Compare(a.First, b.First) })
	return r.writeRecord(all)
}

func (r *repairer) writeRecord(all []Stretch) error {
	b, err := encodeRepairs(all)
	if err != nil {
		return err
	}
	return writeFile(r.fs, r.dir, repairsName, b)
}

// mendRecord makes the record of repairs anew if it cannot be read, from the
// gaps in the segments: telling of a stretch twice is better than not at all.
func (r *repairer) mendRecord() error {
	_, err := readRepairs(r.fs, r.dir)
	if err == nil {
		return nil
	}
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	var all []Stretch
	for _, x := range r.health.segments {
		all = append(all, x.gaps...)
	}
	if _, err := r.keep(repairsName); err != nil {
		return err
	}
	return r.writeRecord(all)
}

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
