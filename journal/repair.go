package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
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
		First: next, Last: max(next, r.lastSnapshot()+1) + lostEnd - 1, From: from,
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
