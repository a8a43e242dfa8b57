package egress

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// Bounds of one append of what was read, and of how long the journal may not
// know where reading stands.
const (
	batchCommands = 512
	batchBytes    = 8 << 20
	maxEntry      = 3 << 20 // an accepted command; the journal's own bound is above it
	noteAfter     = 4096    // commands of other shards and repeats
	noteEvery     = time.Minute
)

// backlogPatience is how long reading waits for an account that holds its
// share of the unfinished commands and is connected, before it is taken for stuck.
const backlogPatience = 10 * time.Second

// intake reads commands until Run ends. The journal says where reading stands;
// an error of the bus only means that it is tried again.
func (e *Egress) intake() error {
	in := &intake{Egress: e, stuck: map[tim.UserID]time.Time{}, passed: map[bus.Target]bus.Position{}, noted: time.Now()}
	wait := backoff{min: e.cfg.RetryMin, max: e.cfg.RetryMax}
	for {
		e.mu.Lock()
		after := e.state.positions()
		e.mu.Unlock()
		reader, err := e.deps.Commands.Commands(e.stop, after)
		if err == nil {
			e.trouble("", nil) // on a quiet bus no command comes to say so
			err = in.read(reader, func() { wait.tries = 0 })
			err = errors.Join(err, reader.Close())
		}
		if e.stop.Err() == nil {
			e.trouble("commands cannot be read from the bus", err)
			err = sleep(e.stop, wait.next(0))
		}
		if e.stop.Err() != nil {
			in.note()
			return context.Cause(e.stop)
		}
		if err != nil {
			return err
		}
	}
}

// note tells the journal, at the end, where reading stands behind commands of
// other shards and repeats, which have no entry of their own. The next process
// would else take those that the bus removes meanwhile for lost.
func (in *intake) note() {
	if len(in.passed) == 0 || !errors.Is(context.Cause(in.stop), context.Canceled) {
		return
	}
	b := newBatch()
	in.notePassed(b)
	ctx, cancel := context.WithTimeout(in.end, markTimeout)
	defer cancel()
	if _, err := in.write(ctx, true, b.entries, b.bodies); err != nil {
		in.log.Warn("where reading stands is not journaled; what lies before it is read again", "error", err)
	}
}

// notePassed puts into a batch where reading stands, where its entries do not say so.
func (in *intake) notePassed(b *batch) {
	for _, t := range slices.Sorted(maps.Keys(in.passed)) {
		b.add(journal.KindAccepted, read{Position: in.passed[t]})
	}
}

// intake is what belongs to the goroutine that reads.
type intake struct {
	*Egress
	// stuck are accounts that hold their share and get nothing done, with the
	// time of the last command they finished.
	stuck map[tim.UserID]time.Time
	// passed is where each target was read to without an entry that says so,
	// since noted; unnoted is how many commands that were.
	passed  map[bus.Target]bus.Position
	unnoted int
	noted   time.Time
}

func (in *intake) read(reader bus.CommandReader, fine func()) error {
	for {
		n, err := in.waitForRoom(in.stop)
		if err != nil {
			return err
		}
		received, err := reader.Next(in.stop, n)
		if err != nil {
			return err // what reading could not do is found anew by the next reader
		}
		fine()
		in.trouble("", nil)
		// What was read comes before what could not be.
		if err := in.takeIn(received); err != nil {
			return err
		}
		if err := in.resets(reader.Resets()); err != nil {
			return err
		}
	}
}

// waitForRoom waits until fewer than the bound are unfinished, and says how
// many may be read.
func (e *Egress) waitForRoom(ctx context.Context) (int, error) {
	for {
		e.mu.Lock()
		n := min(batchCommands, e.cfg.MaxAccepted-len(e.state.open))
		if e.state.openBytes >= e.cfg.MaxAcceptedBytes {
			n = 0
		}
		room := e.room
		e.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		if e.shed() {
			continue
		}
		t := time.NewTimer(time.Second) // another account may have been connected since
		select {
		case <-room:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
}

// batch is what was decided on commands and not journaled yet.
type batch struct {
	entries  []journal.Entry
	bodies   []body
	size     int
	items    []*item            // accepted, in order
	contents map[key]uint64     // of those
	holds    map[tim.UserID]int // of those, by account
	counts   []func(*Stats)
	last     map[bus.Target]bus.Position // the last of each target that was decided on
	foreign  int                         // read at the end that need no entry
}

func newBatch() *batch {
	return &batch{
		contents: map[key]uint64{}, holds: map[tim.UserID]int{}, last: map[bus.Target]bus.Position{},
	}
}

// takeIn decides on commands, in order, and journals what was decided.
func (in *intake) takeIn(received []bus.Received) error {
	b := newBatch()
	for i := range received {
		before, r := len(b.entries), &received[i]
		if err := in.decide(b, r); err != nil {
			return err
		}
		b.last[r.Target] = r.Position
		if len(b.entries) > before {
			delete(in.passed, r.Target)
		} else {
			in.passed[r.Target] = r.Position
		}
		if b.size > batchBytes {
			if err := in.flush(b); err != nil {
				return err
			}
			*b = *newBatch()
		}
	}
	return in.flush(b)
}

// flush journals the batch, and hands what was accepted to the lanes.
func (in *intake) flush(b *batch) error {
	in.unnoted += b.foreign
	noting := in.unnoted >= noteAfter || time.Since(in.noted) > noteEvery
	if noting {
		in.notePassed(b)
	}
	if len(b.entries) > 0 {
		if _, err := in.write(in.stop, false, b.entries, b.bodies); err != nil {
			return err
		}
		in.deps.Step("accepted")
	}
	if noting {
		clear(in.passed)
	}
	if len(in.passed) == 0 {
		in.unnoted, in.noted = 0, time.Now()
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.mark.skipped == nil {
		in.mark.skipped = map[bus.Target]bus.Position{}
	}
	for t, p := range b.last {
		in.mark.skipped[t] = p
	}
	for _, f := range b.counts {
		f(&in.stats)
	}
	for _, it := range b.items {
		// It may have been finished in the same append.
		if o := in.state.open[it.key]; o != nil {
			it.o = o
			in.dispatch(it)
		}
	}
	return nil
}

type appender interface{ append([]byte) []byte }

// add puts an internal entry into the batch.
func (b *batch) add(kind journal.Kind, v appender) {
	b.bodies = append(b.bodies, body{len(b.entries), v})
	b.addPublic(entry(kind, v.append(nil)))
}

func (b *batch) addPublic(es ...journal.Entry) {
	for _, e := range es {
		b.entries = append(b.entries, e)
		b.size += len(e.Body)
	}
}

// decide says what becomes of one command.
func (in *intake) decide(b *batch, r *bus.Received) error {
	b.counts = append(b.counts, func(s *Stats) { s.Read++ })

	// Whose is it? What does not say belongs to one shard too.
	account := tim.UserID("")
	if r.Event != nil && r.Err == nil {
		account = accountOf(r.Event)
		if only, ok := in.deps.Accounts.Default(); account == "" && ok {
			account = only
			r.Event.SetExtension(mapping.ExtAccount, string(only))
		}
	}
	if !in.cfg.Shard.Owns(string(account)) {
		b.foreign++
		b.counts = append(b.counts, func(s *Stats) { s.Foreign++ })
		return nil
	}

	cmd, err := in.parse(r)
	if err != nil {
		return in.refuse(b, r, &cmd, mapping.TypeRejected, err)
	}
	k := commandKey(cmd.Source, cmd.ID)
	content := contentHash(&cmd)
	in.mu.Lock()
	known, repeated := in.state.ledger.find(k)
	if o := in.state.open[k]; o != nil && !repeated {
		known, repeated = content, true // forgotten by the ledger, which is too small
	}
	floor, doubtful := in.state.ledger.floor, in.state.doubtful
	in.mu.Unlock()
	if !repeated {
		known, repeated = b.contents[k]
	}
	now := time.Now()
	switch {
	case repeated && (known == content || known == anyContent):
		b.foreign++
		b.counts = append(b.counts, func(s *Stats) { s.Repeated++ })
		return nil
	case repeated:
		return in.refuse(b, r, &cmd, mapping.TypeRejected, &mapping.RejectError{
			Code: mapping.RejectIDReused, Field: "id",
			Message: "a command with this source and id, and other content, came before; give a new one a new id",
		})
	case in.deps.Accounts.Account(cmd.Account).State == StateUnknown:
		return in.refuse(b, r, &cmd, mapping.TypeRejected, &mapping.RejectError{
			Code: mapping.RejectAccountUnknown, Field: mapping.ExtAccount,
			Message: fmt.Sprintf("%s is not an account of this bridge", cmd.Account),
		})
	}
	if err := in.cfg.Policy.check(&cmd); err != nil {
		return in.refuse(b, r, &cmd, mapping.TypeRejected, err)
	}
	if busTime(r.Position, now) < floor {
		return in.refuse(b, r, &cmd, mapping.TypeExpired, &mapping.RejectError{
			Code:    mapping.CodeExpired,
			Message: "it is older than the bridge remembers commands, so nobody can tell whether it was carried out",
		})
	}
	// One that is in doubt has to be settled first.
	doubt := r.Time.Before(doubtful)
	if !doubt && expired(&cmd, now) {
		return in.refuse(b, r, &cmd, mapping.TypeExpired, errExpired(&cmd))
	}
	encoded, err := mapping.Encode(r.Event)
	if err != nil {
		return in.refuse(b, r, &cmd, mapping.TypeRejected, &mapping.RejectError{Code: mapping.RejectMalformed, Message: err.Error()})
	}
	if size := len(encoded) + len(r.Original); size > maxEntry {
		return in.refuse(b, r, &cmd, mapping.TypeRejected, &mapping.RejectError{
			Code: mapping.RejectTooLarge, Message: fmt.Sprintf("it takes %d bytes in the journal; the most is %d", size, maxEntry),
		})
	}
	over, err := in.overShare(b, cmd.Account)
	if err != nil {
		return err
	}

	b.add(journal.KindAccepted, accepted{
		Key: k, Content: content, At: now, Position: r.Position, Doubt: doubt,
		Account: string(cmd.Account), Event: encoded, Original: r.Original,
	})
	b.contents[k] = content
	b.holds[cmd.Account]++
	it := &item{key: k, cmd: cmd}
	b.items = append(b.items, it)
	b.counts = append(b.counts, func(s *Stats) { s.Accepted++ })
	if over && !doubt {
		return in.refuseBacklog(b, it, r, now)
	}
	return nil
}

// parse reads and checks a command.
func (in *intake) parse(r *bus.Received) (mapping.Command, error) {
	switch {
	case errors.Is(r.Err, bus.ErrLimit):
		return mapping.Command{}, &mapping.RejectError{Code: mapping.RejectTooLarge, Message: r.Err.Error()}
	case errors.Is(r.Err, bus.ErrNotAllowed):
		return mapping.Command{}, &mapping.RejectError{Code: mapping.RejectNotAllowed, Message: r.Err.Error()}
	case r.Err != nil:
		return mapping.Command{}, &mapping.RejectError{Code: mapping.RejectMalformed, Message: r.Err.Error()}
	}
	return in.deps.Mapper.ToCommand(r.Event)
}

// refuse puts the outcome of a command that is not accepted into the batch,
// with its dead letter and its place. What was refused at that place before is
// only dropped.
func (in *intake) refuse(b *batch, r *bus.Received, cmd *mapping.Command, outcomeType string, why error) error {
	k := placeKey(r.Position)
	in.mu.Lock()
	_, known := in.state.ledger.find(k)
	in.mu.Unlock()
	if known {
		b.foreign++
		b.counts = append(b.counts, func(s *Stats) { s.Repeated++ })
		return nil
	}
	o := mapping.Outcome{
		Type: outcomeType, Command: cmd.Ref(), Position: onBus(r.Position), At: time.Now(), Error: mapping.ErrorOf(why),
		CorrelationID: cmd.CorrelationID, TraceParent: cmd.TraceParent,
	}
	if cmd.Account != "" {
		o.Subject = cmd.OutcomeSubject()
	}
	if _, ok := mapping.AsReject(why); !ok {
		o.Error.Code = mapping.RejectMalformed
	}
	original := mapping.KeepOriginal(r.Original)
	if r.Cut != nil {
		original = mapping.CutOriginal(r.Original, r.Cut.Size, r.Cut.SHA256)
	}
	public, err := in.publicEntriesOf(o, original)
	if err != nil {
		return err
	}
	b.add(journal.KindAccepted, read{Key: k, Position: r.Position, Public: uint8(len(public))})
	b.addPublic(public...)
	code := o.Error.Code
	b.counts = append(b.counts, func(s *Stats) { s.Rejected[code]++; s.DeadLetters++ })
	return nil
}

// refuseBacklog finishes a command in the append that accepts it.
func (in *intake) refuseBacklog(b *batch, it *item, r *bus.Received, now time.Time) error {
	o := mapping.Outcome{
		Type: mapping.TypeFailed, Command: it.cmd.Ref(), Subject: it.cmd.OutcomeSubject(), Position: onBus(r.Position),
		At: now, Error: errBacklog(it.cmd.Account),
		CorrelationID: it.cmd.CorrelationID, TraceParent: it.cmd.TraceParent,
	}
	public, err := in.publicEntries(o, r.Original)
	if err != nil {
		return err
	}
	b.add(journal.KindStarted, finished{Key: it.key, Public: uint8(len(public))})
	b.addPublic(public...)
	b.holds[it.cmd.Account]--
	b.counts = append(b.counts, func(s *Stats) { s.Failed[mapping.CodeAccountBacklog]++; s.DeadLetters++ })
	return nil
}

// publicEntries makes the journal entries of an outcome, and of its dead
// letter where it did not succeed.
func (e *Egress) publicEntries(o mapping.Outcome, original []byte) ([]journal.Entry, error) {
	return e.publicEntriesOf(o, mapping.KeepOriginal(original))
}

func (e *Egress) publicEntriesOf(o mapping.Outcome, original mapping.Original) ([]journal.Entry, error) {
	ev, err := o.Event(e.deps.App)
	if err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	encoded, err := mapping.Encode(ev)
	if err != nil {
		return nil, fmt.Errorf("egress: outcome of %s: %w", o.Command.ID, err)
	}
	entries := []journal.Entry{entry(journal.KindOutcome, encoded)}
	if o.Type == mapping.TypeSucceeded {
		return entries, nil
	}
	dead, err := mapping.DeadLetterOf(ev, original)
	if err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	if encoded, err = mapping.Encode(dead); err != nil {
		return nil, fmt.Errorf("egress: dead letter of %s: %w", o.Command.ID, err)
	}
	return append(entries, entry(journal.KindDeadLetter, encoded)), nil
}

// contentHash is what the ledger keeps of a command's content.
func contentHash(cmd *mapping.Command) uint64 { return binary.LittleEndian.Uint64(cmd.Content[:]) }

func onBus(p bus.Position) mapping.BusPosition {
	return mapping.BusPosition{Target: string(p.Target), Offset: p.Offset, Time: p.Time, Digest: p.Digest}
}

func accountOf(ev *event.Event) tim.UserID { return tim.UserID(extension(ev, mapping.ExtAccount)) }

func extension(ev *event.Event, name string) string {
	s, _ := ev.Extensions()[name].(string)
	return s
}

func errExpired(cmd *mapping.Command) *mapping.RejectError {
	return &mapping.RejectError{
		Code: mapping.CodeExpired, Field: mapping.ExtExpiryTime,
		Message: "it was not to be carried out after " + cmd.Expiry.UTC().Format(time.RFC3339),
	}
}

func expired(cmd *mapping.Command, now time.Time) bool {
	return !cmd.Expiry.IsZero() && !now.Before(cmd.Expiry)
}
