package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/synadia-io/orbit.go/jetstreamext"
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
			errs[i] = b.sendPart(ctx, s, look)
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
	done, last := 0, s.part.End
	again := func() error {
		before := done
		var found int
		if found, last, err = b.look(ctx, s.t, s.part, journal); err != nil {
			return err
		}
		done = max(found, before)
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
			done += len(batch)
			b.progress(s, len(batch))
			last = stored
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
			last = 0
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
		case codeMessageTooLarge, codeHeadersTooLarge, codeBatchIncomplete:
			return b.explain(ctx, s, err)
		default:
			return err
		}
	}
	if !moved {
		s.t.moved = 0
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

// ack is the server's answer to a message or a batch.
type ack struct {
	Stream    string              `json:"stream"`
	Sequence  uint64              `json:"seq"`
	Duplicate bool                `json:"duplicate"`
	Batch     string              `json:"batch"`
	Count     int                 `json:"count"`
	Error     *jetstream.APIError `json:"error"`
}

// store publishes a batch, all of it or nothing, and returns the stream
// sequence of its last message. A batch of one is a plain message, which costs
// the server one sync instead of four.
func (b *Bus) store(ctx context.Context, s *sending, batch []*bus.Message, condition bool, last uint64) (uint64, error) {
	ctx, done, err := b.conn.ask(ctx, s.t.subject+".", b.cfg.RequestTimeout)
	if err != nil {
		return 0, err
	}
	defer done()
	id := nuid.Next()
	for i, m := range batch {
		msg, err := s.message(m)
		if err != nil {
			return 0, err
		}
		if i == 0 {
			s.enc.set(jetstream.ExpectedStreamHeader, s.t.name)
			if condition {
				s.enc.set(jetstream.ExpectedLastSeqHeader, strconv.FormatUint(last, 10))
			}
		}
		if len(batch) > 1 {
			s.enc.set(jetstreamext.BatchIDHeader, id)
			s.enc.set(jetstreamext.BatchSeqHeader, strconv.Itoa(i+1))
		}
		if i < len(batch)-1 {
			if err := b.conn.nc.PublishMsg(msg); err != nil {
				return 0, publishError(m, err)
			}
			continue
		}
		if len(batch) > 1 {
			s.enc.set(jetstreamext.BatchCommitHeader, "1")
		}
		a, err := b.awaitAck(ctx, msg)
		switch {
		case err != nil:
			return 0, publishError(m, err)
		case len(batch) > 1 && (a.Batch != id || a.Count != len(batch)):
			return 0, fmt.Errorf("stream %q acknowledged %d of %d messages of a batch", s.t.name, a.Count, len(batch))
		case a.Duplicate:
			// Known from before: it may lie anywhere, and the end is not ours.
			return 0, &jetstream.APIError{Code: 400, ErrorCode: codeBatchKnownID, Description: "the message's id is known"}
		}
		return a.Sequence, nil
	}
	return last, nil
}

// storeSingly stores messages one by one, by their ids: each is stored, or was.
func (b *Bus) storeSingly(ctx context.Context, s *sending, batch []*bus.Message) error {
	for _, m := range batch {
		if err := b.storeOne(ctx, s, m); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bus) storeOne(ctx context.Context, s *sending, m *bus.Message) error {
	ctx, done, err := b.conn.ask(ctx, s.t.subject+".", b.cfg.RequestTimeout)
	if err != nil {
		return err
	}
	defer done()
	msg, err := s.message(m)
	if err != nil {
		return err
	}
	s.enc.set(jetstream.ExpectedStreamHeader, s.t.name)
	if _, err := b.awaitAck(ctx, msg); err != nil {
		return publishError(m, err)
	}
	return nil
}

// message writes an event with its id. It is good until the next one.
func (s *sending) message(m *bus.Message) (*nats.Msg, error) {
	h, data, err := s.enc.encode(m.Event)
	if err != nil {
		return nil, &bus.RefusedError{Sequence: m.Sequence, Reason: err.Error()}
	}
	journal, sequence, err := ids(m)
	if err != nil {
		return nil, err
	}
	s.enc.set(jetstream.MsgIDHeader, journal+"/"+sequence)
	return &nats.Msg{
		Subject: subject(m.Stream, s.t.subject, typeWords(m.Event.Type()), m.Event),
		Header:  h,
		Data:    data,
	}, nil
}

// awaitAck publishes a message and reads the stream's answer.
func (b *Bus) awaitAck(ctx context.Context, msg *nats.Msg) (ack, error) {
	var a ack
	resp, err := b.conn.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return a, err
	}
	if err := json.Unmarshal(resp.Data, &a); err != nil {
		return a, fmt.Errorf("read the acknowledgement: %w", err)
	}
	if a.Error != nil {
		return a, a.Error
	}
	if a.Stream == "" {
		return a, jetstream.ErrInvalidJSAck
	}
	return a, nil
}

// publishError is what the client found wrong with a message.
func publishError(m *bus.Message, err error) error {
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) {
		return &bus.RefusedError{Sequence: m.Sequence, Reason: err.Error()}
	}
	return err
}
