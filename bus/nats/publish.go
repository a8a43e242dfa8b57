package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/timbridge/timbridge/bus"
)

const (
	// strikes is how often in a row a target may have moved on under us before
	// others are taken to write there all the time, and sharedRounds for how
	// many rounds they are.
	strikes      = 3
	sharedRounds = 64
	// waits bounds how often one Send waits for an id that is being stored.
	waits = 4
	// overhead is what the headers of a batch and the condition add to a
	// message at most.
	overhead = 192
)

// pause waits, and reports whether neither ctx nor Close ended it.
func (b *Bus) pause(ctx context.Context, d time.Duration) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	return sleep(ctx, d)
}

// sending is one part of a plan on its way.
type sending struct {
	t    *target
	part *bus.Part
	msgs []*bus.Message
	enc  encoder
	left *atomic.Int64 // messages of the whole round that are not known to be stored
}

// Send stores the messages of a plan, its targets side by side.
func (b *Bus) Send(ctx context.Context, plan bus.Plan, msgs []bus.Message, look bool) error {
	if b.ctx.Err() != nil {
		return bus.ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()

	parts := make([]*sending, 0, len(plan.Parts))
	for i := range plan.Parts {
		s, err := b.prepareSend(ctx, &plan.Parts[i], msgs)
		if err != nil {
			return err
		}
		if len(s.msgs) > 0 {
			parts = append(parts, s)
		}
	}
	left := new(atomic.Int64)
	for _, s := range parts {
		s.left = left
		left.Add(int64(len(s.msgs)))
	}
	errs := make([]error, len(parts))
	var g errgroup.Group
	for i, s := range parts {
		g.Go(func() error {
			// Where others write too, nothing but a look shows what is lost.
			errs[i] = b.sendPart(ctx, s, look || s.t.shared > 0 && s.t.epoch != b.conn.present())
			return nil
		})
	}
	_ = g.Wait() // each part's error is its own
	for i, s := range parts {
		if errs[i] == nil {
			continue
		}
		s.t.trusted, s.t.epoch = false, 0
		if refused := refusal(s.t.name, errs[i]); refused != nil {
			errs[i] = refused
		} else if sick := b.sick(); sick != nil {
			errs[i] = &bus.TargetError{Target: s.part.Target, Err: fmt.Errorf("%w: %w", sick, errs[i])}
		}
		errs[i] = fmt.Errorf("send to %s: %w", s.t.name, errs[i])
	}
	if b.ctx.Err() != nil {
		return bus.ErrClosed
	}
	return errors.Join(errs...)
}

// sick is what is wrong with the embedded server, which does not answer when
// it cannot write.
func (b *Bus) sick() error {
	if b.embedded == nil {
		return nil
	}
	return b.embedded.health()
}

// prepareSend finds a part's messages, and one among them that will never be
// taken: before anything of the round is sent.
func (b *Bus) prepareSend(ctx context.Context, part *bus.Part, msgs []bus.Message) (*sending, error) {
	s := &sending{part: part, enc: encoder{structured: b.cfg.Structured}}
	var err error
	if s.msgs, err = part.Select(msgs); err != nil {
		return nil, fmt.Errorf("send to %s: %w", part.Target, err)
	}
	if len(s.msgs) == 0 {
		return s, nil
	}
	if s.t, err = b.target(ctx, string(part.Target), s.msgs[0].Stream); err == nil && s.t.epoch == 0 {
		var info *jetstream.StreamInfo
		if info, err = b.info(ctx, s.t.name); err == nil {
			s.t.learn(info, b.conn.present())
		}
	}
	if err != nil {
		if refused := refusal(string(part.Target), err); refused != nil {
			err = refused
		}
		return nil, fmt.Errorf("send to %s: %w", part.Target, err)
	}
	return s, b.checkSizes(s)
}

// checkSizes returns a [*bus.RefusedError] for the first message that is larger
// than the stream or the server takes.
func (b *Bus) checkSizes(s *sending) error {
	limit := b.conn.nc.MaxPayload()
	if s.t.maxMessage > 0 {
		limit = min(limit, s.t.maxMessage)
	}
	if s.t.maxStream > 0 {
		limit = min(limit, s.t.maxStream)
	}
	for _, m := range s.msgs {
		if _, _, err := ids(m); err != nil {
			return fmt.Errorf("send to %s: %w", s.t.name, err)
		}
		if head, ok := headerBound(m.Event); ok && !b.cfg.Structured && head+overhead <= maxHeader && int64(head+overhead+len(m.Event.Data())) <= limit {
			continue // however it is written
		}
		h, data, err := s.enc.encode(m.Event)
		if err != nil {
			return &bus.RefusedError{Sequence: m.Sequence, Reason: err.Error()}
		}
		head := headerSize(h) + overhead
		if head > maxHeader {
			return &bus.RefusedError{Sequence: m.Sequence, Size: int64(head), Limit: maxHeader,
				Reason: fmt.Sprintf("its headers are %d bytes, NATS takes %d", head, maxHeader)}
		}
		if size := int64(head + len(data)); size > limit {
			return &bus.RefusedError{Sequence: m.Sequence, Size: size, Limit: limit,
				Reason: fmt.Sprintf("it is %d bytes with its headers, stream %s takes %d", size, s.t.name, limit)}
		}
	}
	return nil
}

// ids gives the journal's UUID and the sequence as text of a message.
func ids(m *bus.Message) (journal, sequence string, err error) {
	journal, _ = extension(m.Event, "timbridge")
	sequence, _ = extension(m.Event, "sequence")
	if n, err := strconv.ParseUint(sequence, 10, 64); err != nil || n != m.Sequence || journal == "" {
		return "", "", fmt.Errorf("message %d does not carry its timbridge and sequence attributes", m.Sequence)
	}
	return journal, sequence, nil
}

// sendPart stores what is missing of a part.
func (b *Bus) sendPart(ctx context.Context, s *sending, look bool) error {
	journal, _, err := ids(s.msgs[0])
	if err != nil {
		return err
	}
	done, last, ended := 0, s.part.End, uint64(0)
	floor := s.part.End // where the stream ends at least
	sure := 0           // messages that the stream knows, whether it has them or not
	again := func() error {
		before := done
		var found int
		if found, last, floor, err = b.look(ctx, s.t, s.part, journal); err != nil {
			return err
		}
		if found = max(found, sure); found < before { // what this very call has stored is gone again
			return bus.ErrVerify
		}
		if done = found; done > before {
			ended = 0
		}
		s.left.Add(int64(before - done))
		return nil
	}
	if look {
		if err := again(); err != nil {
			return err
		}
	}
	if s.t.shared > 0 {
		s.t.shared--
	}
	moved, known := false, 0
	for done < len(s.msgs) {
		batch := b.cut(s, done)
		// Nobody may have written since the end that we know of. It keeps out
		// a request of a dead process for as long as the stream lives, where
		// ids do so for the duplicate window. Where others write all the time
		// it cannot hold, and the ids alone have to do.
		condition := s.t.shared == 0
		stored, err := b.store(ctx, s, batch, condition, last)
		switch code(err) {
		case 0:
			if err != nil {
				return err
			}
			if base := stored - uint64(len(batch)); base < floor || base > floor && !condition && s.t.epoch != b.conn.present() {
				// What was there is gone, or may be, while others wrote: the
				// batch is stored behind it.
				return bus.ErrVerify
			}
			done += len(batch)
			b.progress(s, len(batch))
			last, floor, ended = stored, stored, stored
			s.t.end, s.t.endTime, s.t.trusted = stored, time.Time{}, condition
		case codeLastSequence, codeLastSequenceR3:
			moved = true
			if s.t.moved++; s.t.moved >= strikes {
				s.t.moved, s.t.shared = 0, sharedRounds
			}
			if err := again(); err != nil {
				return err
			}
		case codeBatchKnownID, codeIDInProcess:
			before := done
			if err := again(); err != nil {
				return err
			}
			if done > before {
				continue
			}
			// An id is known and its message is not to be found: the stream
			// has removed it. One by one each is stored, or known.
			if code(err) == codeIDInProcess {
				if known++; known >= waits {
					return err
				}
				if !b.pause(ctx, backoff(known)) {
					return context.Cause(ctx)
				}
				continue
			}
			if err := b.storeSingly(ctx, s, batch); err != nil {
				return err
			}
			done += len(batch)
			b.progress(s, len(batch))
			s.t.trusted, s.t.epoch = false, 0
			last, ended, sure = 0, 0, done
			if done < len(s.msgs) {
				if err := again(); err != nil {
					return err
				}
			}
		case codeBatchTooLarge:
			if len(batch) == 1 {
				return err
			}
			s.t.batch = max(1, min(s.t.batch, len(batch))/2)
		case codeStoreFailed:
			// Perhaps only the whole batch has no room.
			if len(batch) == 1 {
				return err
			}
			if err := b.sendHalves(ctx, s, batch, &done, &last); err != nil {
				return err
			}
			floor, ended = last, last
		case codeMessageTooLarge, codeHeadersTooLarge, codeBatchIncomplete:
			return b.explain(ctx, s, err)
		default:
			return err
		}
	}
	if !moved {
		s.t.moved = 0
	}
	if ended != 0 {
		s.t.remember(s.t.incarnation, ended, journal, s.part.Sequences[len(s.part.Sequences)-1])
	}
	return nil
}

// progress notes that messages of a round were stored.
func (b *Bus) progress(s *sending, n int) {
	if s.left.Add(-int64(n)) > 0 {
		b.cfg.Step("half_sent")
	}
}

// cut gives the next batch: bounded in messages and bytes, never empty.
func (b *Bus) cut(s *sending, from int) []*bus.Message {
	size := 0
	for i := from; i < len(s.msgs); i++ {
		size += len(s.msgs[i].Event.Data())
		if i-from == s.t.batch || (i > from && size > b.cfg.BatchBytes) {
			return s.msgs[from:i]
		}
	}
	return s.msgs[from:]
}

// sendHalves stores as much of a batch as the stream has room for, in order.
func (b *Bus) sendHalves(ctx context.Context, s *sending, batch []*bus.Message, done *int, last *uint64) error {
	for len(batch) > 0 {
		n := max(1, len(batch)/2)
		for {
			stored, err := b.store(ctx, s, batch[:n], s.t.shared == 0, *last)
			if err == nil {
				*last = stored
				*done += n
				b.progress(s, n)
				batch = batch[n:]
				break
			}
			if code(err) != codeStoreFailed || n == 1 {
				return err
			}
			n /= 2
		}
	}
	return nil
}

// explain turns an error that says little into the reason behind it.
func (b *Bus) explain(ctx context.Context, s *sending, err error) error {
	info, infoErr := b.info(ctx, s.t.name)
	if infoErr != nil {
		return infoErr
	}
	s.t.learn(info, b.conn.present())
	s.t.trusted = false
	if sizeErr := b.checkSizes(s); sizeErr != nil {
		return sizeErr
	}
	if !info.Config.AllowAtomicPublish {
		return &jetstream.APIError{Code: 400, ErrorCode: codeNoAtomicBatches, Description: "atomic publish is disabled"}
	}
	return err
}
