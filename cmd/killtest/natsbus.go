package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsBus is a NATS server in the eyes of a stranger: he has the NATS client
// alone.
type natsBus struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	looked uint64 // the last outcome that news gave
}

func connectNATS(ctx context.Context, addr, token string) (*natsBus, error) {
	for {
		nc, err := nats.Connect("nats://"+addr, nats.Token(token), nats.MaxReconnects(-1),
			nats.ReconnectWait(50*time.Millisecond), nats.Timeout(2*time.Second), nats.PingInterval(time.Second))
		if err == nil {
			js, err := jetstream.New(nc)
			return &natsBus{nc: nc, js: js}, err
		}
		if ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		wait(ctx, 50*time.Millisecond)
	}
}

func (b *natsBus) close() { b.nc.Close() }

func (b *natsBus) publish(ctx context.Context, c ordered, body []byte) error {
	msg := nats.NewMsg("tim.commands." + string(c.by) + "." + c.verb)
	msg.Header.Set("content-type", structured)
	msg.Header.Set(nats.MsgIdHdr, commandSource+"/"+c.id)
	msg.Data = body
	for {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := b.js.PublishMsg(one, msg)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		wait(ctx, 50*time.Millisecond)
	}
}

func (b *natsBus) news(ctx context.Context, limit int) (list [][]byte) {
	stream, err := b.js.Stream(ctx, "tim-outcomes")
	if err != nil {
		return nil
	}
	for len(list) < limit {
		m, err := stream.GetMsg(ctx, b.looked+1)
		if err != nil {
			break
		}
		b.looked = m.Sequence
		list = append(list, m.Data)
	}
	return list
}

func (b *natsBus) read(ctx context.Context, name string) ([]published, error) {
	name = "tim-" + name
	stream, err := b.js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	if info.State.Msgs == 0 {
		return nil, nil
	}
	consumer, err := b.js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	defer messages.Stop()
	var out []published
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		h := m.Headers()
		p, err := read(func(attribute string) string { return h.Get("ce-" + attribute) }, m.Data())
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		p.target, p.position = name, meta.Sequence.Stream
		out = append(out, p)
		if meta.Sequence.Stream >= info.State.LastSeq {
			return out, nil
		}
	}
}
