package ingress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/timbridge/timbridge/journal"
)

// What one append takes at most.
const (
	batchEntries = 1000
	batchBytes   = 4 << 20
)

// batch is what will be appended next.
type batch struct {
	entries []journal.Entry
	notes   []note
	ends    []int   // after each thing that must not be torn apart: the number of entries so far
	posts   []*post // whose outcomes are in it

	// What is told when the batch is on disk: units, repeats among them, and
	// whoever waits for the round.
	settled []*unit
	after   []func()
}

func (b *batch) reset() {
	clear(b.entries)
	clear(b.posts)
	clear(b.settled)
	clear(b.after)
	b.entries, b.notes, b.ends = b.entries[:0], b.notes[:0], b.ends[:0]
	b.posts, b.settled, b.after = b.posts[:0], b.settled[:0], b.after[:0]
}

func (b *batch) empty() bool {
	return len(b.entries) == 0 && len(b.settled) == 0 && len(b.after) == 0 && len(b.posts) == 0
}

func (b *batch) add(e journal.Entry, n note) {
	b.entries = append(b.entries, e)
	b.notes = append(b.notes, n)
}

// close ends what must not be torn apart.
func (b *batch) close() {
	if n := len(b.entries); n > 0 && (len(b.ends) == 0 || b.ends[len(b.ends)-1] < n) {
		b.ends = append(b.ends, n)
	}
}

// chunk returns where the next append ends that begins at from.
func (b *batch) chunk(from int) int {
	end, at, bytes := from, from, 0
	i, _ := slices.BinarySearch(b.ends, from+1)
	for _, e := range b.ends[i:] {
		for ; at < e; at++ {
			bytes += len(b.entries[at].Body)
		}
		if end > from && (e-from > batchEntries || bytes > batchBytes) {
			break
		}
		end = e
	}
	return end
}

// cut takes entries from..end out, which must begin and end whole things or
// lie within one.
func (b *batch) cut(from, end int) {
	b.entries = slices.Delete(b.entries, from, end)
	b.notes = slices.Delete(b.notes, from, end)
	ends := b.ends[:0]
	for _, e := range b.ends {
		switch {
		case e > end:
			e -= end - from
		case e > from:
			e = from
		}
		if e > 0 && (len(ends) == 0 || ends[len(ends)-1] < e) {
			ends = append(ends, e)
		}
	}
	b.ends = ends
	for _, p := range b.posts {
		if p.at >= end {
			p.at -= end - from
		}
	}
}

// settle tells everybody who waits that it is on disk.
func (b *batch) settle() {
	for _, p := range b.posts {
		p.finish(b.entries)
	}
	for _, u := range b.settled {
		if u.report != nil {
			u.report.settle()
		}
	}
	for _, f := range b.after {
		f()
	}
	b.reset()
}

// settle counts one unit of the report as done; after the last one the report
// is acknowledged.
func (r *report) settle() {
	if r.left--; r.left == 0 {
		r.ack()
	}
}

// flush makes the batch durable, learns from it, and only then settles what is
// in it. When it returns an error, because the journal failed or ctx ended,
// nothing more is settled.
func (a *appender) flush(ctx context.Context) error {
	b := &a.batch
	if b.empty() {
		return nil
	}
	for from := 0; from < len(b.entries); {
		end := b.chunk(from)
		err := a.append(ctx, a.in.deps.Journal.Append, b, from, end)
		if errors.Is(err, journal.ErrFull) {
			if err = a.waitWritable(ctx, from); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		from = end
	}
	a.setFull(false)
	b.settle()
	a.draft.reset(a.in.seen)
	return nil
}

// append makes entries from..end durable and learns from them.
func (a *appender) append(ctx context.Context, do func(context.Context, []journal.Entry) (uint64, error), b *batch, from, end int) error {
	in := a.in
	in.mu.Lock()
	in.appending = true
	in.mu.Unlock()
	_, err := do(ctx, b.entries[from:end])
	if err == nil {
		in.deps.Step("journaled")
	}

	in.mu.Lock()
	defer in.mu.Unlock()
	in.appending = false
	if err != nil {
		return fmt.Errorf("ingress: %w", err)
	}
	for i := from; i < end; i++ {
		e := &b.entries[i]
		in.seen.apply(e.Position, e.Time.Unix(), &b.notes[i])
		if e.Kind == journal.KindFact {
			in.counters.recorded.Add(1)
		}
	}
	return nil
}

// setFull notes whether the journal takes ordinary appends, says so once, and
// returns whether that has changed.
func (a *appender) setFull(full bool) (changed bool) {
	if a.full == full {
		return false
	}
	a.full = full
	in := a.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if full {
		in.fullSince = time.Now()
		in.log.Error("the journal is full: reports wait, unacknowledged, until there is space")
		return true
	}
	in.log.Info("the journal takes reports again", "after", time.Since(in.fullSince).Round(time.Millisecond))
	in.fullSince = time.Time{}
	return true
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

const (
	// reserveUse is the most of the journal's reserve that reports may take
	// along, so that the outcome of a send and its message are one append.
	reserveUse = 1 << 20
	// fullRetry is how often the reserve of a full journal is tried again.
	fullRetry = 100 * time.Millisecond
)

// waitWritable waits until the journal takes ordinary appends again. The
// outcomes of sends do not wait: those in the batch, whose entries before from
// are on disk, and those that come meanwhile go by the journal's reserve.
func (a *appender) waitWritable(ctx context.Context, from int) error {
	in := a.in
	first := a.setFull(true)
	writable := make(chan error, 1)
	waitCtx, stop := context.WithCancel(ctx)
	defer stop()
	in.wg.Go(func() {
		if !first { // it had been writable, and was not
			pause(waitCtx, fullRetry)
		}
		writable <- in.deps.Journal.Writable(waitCtx)
	})

	var urgent batch
	a.takePosts(&urgent, from)
	blocked := make(map[string]struct{}) // conversations in the batch
	for _, u := range a.batch.settled {
		blocked[u.conv] = struct{}{}
	}
	delete(blocked, "")

	tick := time.NewTicker(fullRetry)
	defer tick.Stop()
	// What else was put in waits until this is over.
	defer in.queue.signal()
	for {
		if len(urgent.entries) > 0 {
			err := a.append(ctx, in.deps.Journal.AppendReserved, &urgent, 0, len(urgent.entries))
			if err == nil {
				urgent.settle()
			} else if !errors.Is(err, journal.ErrFull) {
				return err
			}
		}
		select {
		case err := <-writable:
			if err != nil {
				return fmt.Errorf("ingress: %w", err)
			}
			// What the reserve had no room for goes with the rest.
			a.putBack(&urgent)
			return nil
		case <-in.queue.wake:
			for _, p := range in.queue.takePosts() {
				a.postWhileFull(&urgent, p, blocked)
			}
		case <-tick.C:
			a.expirePosts(&urgent)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takePosts moves the outcomes that are not on disk from the batch to urgent:
// with all that comes before them, if that is little, else alone.
func (a *appender) takePosts(urgent *batch, from int) {
	b := &a.batch
	onDisk := 0
	for _, p := range b.posts {
		if p.at < from {
			p.finish(b.entries)
			onDisk++
		}
	}
	b.posts = slices.Delete(b.posts, 0, onDisk)
	if len(b.posts) == 0 {
		return
	}
	p := b.posts[len(b.posts)-1]
	last, bytes := p.at+len(p.outcome), 0
	for _, e := range b.entries[from:last] {
		bytes += len(e.Body)
	}
	if bytes <= reserveUse {
		for i := from; i < last; i++ {
			urgent.add(b.entries[i], b.notes[i])
		}
		for _, p := range b.posts {
			p.at -= from
			urgent.posts = append(urgent.posts, p)
		}
		b.posts = b.posts[:0]
		b.cut(from, last)
		return
	}
	for len(b.posts) > 0 {
		p := b.posts[0]
		b.posts = slices.Delete(b.posts, 0, 1)
		b.cut(p.at, p.at+len(p.outcome))
		urgent.addOutcome(p)
	}
}

// postWhileFull takes a send that was carried out: its message goes along if
// nothing that waits for space comes before it.
func (a *appender) postWhileFull(urgent *batch, p *post, blocked map[string]struct{}) {
	u := p.unit
	if u == nil {
		urgent.addOutcome(p)
		return
	}
	if _, wait := blocked[u.conv]; !wait {
		a.batch, *urgent = *urgent, a.batch
		a.takePost(p)
		a.batch, *urgent = *urgent, a.batch
		return
	}
	u.post = nil
	a.later = append(a.later, u)
	urgent.addOutcome(p)
}

// putBack moves what is left of urgent to the end of the batch.
func (a *appender) putBack(urgent *batch) {
	b := &a.batch
	shift := len(b.entries)
	for i := range urgent.entries {
		b.add(urgent.entries[i], urgent.notes[i])
	}
	for _, p := range urgent.posts {
		p.at += shift
	}
	b.close()
	b.posts = append(b.posts, urgent.posts...)
	b.settled = append(b.settled, urgent.settled...)
	b.after = append(b.after, urgent.after...)
	*urgent = batch{}
}

func (b *batch) addOutcome(p *post) {
	p.at = len(b.entries)
	for _, e := range p.outcome {
		b.add(e, note{})
	}
	b.posts = append(b.posts, p)
	b.close()
}
