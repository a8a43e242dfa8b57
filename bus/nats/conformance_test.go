package nats

import (
	"bufio"
	"context"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/bustest"
)

// TestConformance runs the suite against a real nats-server, in a process of
// its own.
func TestConformance(t *testing.T) {
	bustest.Run(t, bustest.Harness{
		Start:           startBroker,
		Parallel:        true,
		AttributePrefix: attributePrefix,
		PublishOnce:     true,
		FencedForever:   true,
		LargerThanMax:   2 << 20,
		MaxCommandBytes: 64 << 10,
	})
}

func startBroker(t *testing.T) *bustest.Broker {
	p := newProcess(t)
	names := map[bus.Stream]string{}
	for stream, s := range DefaultStreams() {
		names[stream] = s.Name
	}
	// change edits a stream's configuration, and gives what undoes it.
	change := func(t *testing.T, stream bus.Stream, edit func(*jetstream.StreamConfig)) (undo func()) {
		t.Helper()
		js := admin(t, p.addr())
		s, err := js.Stream(t.Context(), names[stream])
		if err != nil {
			t.Fatal(err)
		}
		was := s.CachedInfo().Config
		is := was
		edit(&is)
		if _, err := js.UpdateStream(t.Context(), is); err != nil {
			t.Fatal(err)
		}
		return func() {
			t.Helper()
			if _, err := js.UpdateStream(context.WithoutCancel(t.Context()), was); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, stream bus.Stream) jetstream.StreamConfig {
		t.Helper()
		js := admin(t, p.addr())
		s, err := js.Stream(t.Context(), names[stream])
		if err != nil {
			t.Fatal(err)
		}
		if err := js.DeleteStream(t.Context(), names[stream]); err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().Config
	}
	removed := map[bus.Stream]jetstream.StreamConfig{}
	signal := bustest.RawMessage{Headers: []bus.Header{{Name: "Status", Value: []byte("409")}, {Name: "Description", Value: []byte("Consumer Deleted")}}}
	return &bustest.Broker{
		Open: func(ctx context.Context, o bustest.Options) (bus.Bus, error) {
			cfg := testConfig(t, p.addr())
			if o.Gate != nil {
				cfg.URL = "nats://" + o.Gate.Addr()
			}
			cfg.MaxCommandBytes = 64 << 10
			cfg.Structured = o.Structured
			cfg.Shard = bus.Shard{Index: o.Shard, Count: o.Shards}
			b, err := Open(ctx, cfg)
			if err != nil {
				return nil, err
			}
			return b, nil
		},
		Gate: func(t *testing.T) *bustest.Gate {
			return bustest.NewGate(t, p.addr(), func(r *bufio.Reader) (bustest.Frame, error) {
				f, err := splitNATS(r)
				frame := bustest.Frame{Bytes: f.bytes, Store: f.store}
				if f.whole {
					frame.Parts = 1
				}
				return frame, err
			})
		},
		Stop: func(t *testing.T) { p.stop(t) },
		Kill: func(t *testing.T) { p.kill(t) },
		Run:  func(t *testing.T) { p.run(t) },
		LoseTail: func(t *testing.T, fill func()) {
			p.stop(t)
			copyTo := t.TempDir()
			if err := os.CopyFS(copyTo, os.DirFS(p.dir)); err != nil {
				t.Fatal(err)
			}
			p.run(t)
			fill()
			p.kill(t)
			if err := os.RemoveAll(p.dir); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(p.dir, os.DirFS(copyTo)); err != nil {
				t.Fatal(err)
			}
			p.run(t)
		},
		Purge: func(t *testing.T, stream bus.Stream) {
			s, err := admin(t, p.addr()).Stream(t.Context(), names[stream])
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		AgeOut: func(t *testing.T, stream bus.Stream) {
			undo := change(t, stream, func(c *jetstream.StreamConfig) {
				c.MaxAge, c.Duplicates = 100*time.Millisecond, 100*time.Millisecond
			})
			s, err := admin(t, p.addr()).Stream(t.Context(), names[stream])
			if err != nil {
				t.Fatal(err)
			}
			for {
				info, err := s.Info(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if info.State.Msgs == 0 {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			undo()
		},
		Recreate: func(t *testing.T, stream bus.Stream) {
			cfg, gone := removed[stream]
			if !gone {
				cfg = remove(t, stream)
			}
			delete(removed, stream)
			if _, err := admin(t, p.addr()).CreateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
		},
		Remove: func(t *testing.T, stream bus.Stream) { removed[stream] = remove(t, stream) },
		Forget: func(t *testing.T) {
			for stream := range names {
				undo := change(t, stream, func(c *jetstream.StreamConfig) { c.Duplicates = 100 * time.Millisecond })
				time.Sleep(250 * time.Millisecond) // the window itself
				undo()
			}
		},
		Refuse: func(t *testing.T, stream bus.Stream) func() {
			s, err := admin(t, p.addr()).Stream(t.Context(), names[stream])
			if err != nil {
				t.Fatal(err)
			}
			full := int64(max(s.CachedInfo().State.Msgs, 1))
			return change(t, stream, func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgs = jetstream.DiscardNew, full })
		},
		Raw: func(t *testing.T, stream bus.Stream, m bustest.RawMessage) {
			subject := DefaultStreams()[stream].Subject + ".bot.message.send"
			msg := nats.NewMsg(subject)
			msg.Data = m.Value
			for _, h := range m.Headers {
				msg.Header.Add(h.Name, string(h.Value))
			}
			if _, err := admin(t, p.addr()).PublishMsg(t.Context(), msg); err != nil {
				t.Fatal(err)
			}
		},
		Signal: &signal,
	}
}
