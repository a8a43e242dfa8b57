package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/timbridge/timbridge/bus"
)

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
