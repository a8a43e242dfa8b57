package bridge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/schemas"
)

// A bus outside the bridge, from which a test removes the commands.
var outside = map[string]func(t *testing.T) (cfg *config.Config, removeCommands func()){
	"nats":  natsOutside,
	"kafka": kafkaOutside,
}

func natsOutside(t *testing.T) (*config.Config, func()) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("no NATS server")
	}
	cfg := newConfig(t)
	cfg.Bus.NATS.URL = s.ClientURL()
	return cfg, func() {
		nc, err := nats.Connect(s.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := js.Stream(t.Context(), "tim-commands")
		if err == nil {
			err = stream.Purge(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func kafkaOutside(t *testing.T) (*config.Config, func()) {
	k := newKafka(t)
	cfg := newKafkaConfig(t, k)
	return cfg, func() {
		c, err := kgo.NewClient(kgo.SeedBrokers(k.address))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		req := kmsg.NewPtrDeleteRecordsRequest()
		topic := kmsg.NewDeleteRecordsRequestTopic()
		topic.Topic = "tim.commands"
		for n := range int32(3) {
			p := kmsg.NewDeleteRecordsRequestTopicPartition()
			p.Partition, p.Offset = n, -1 // all there are
			topic.Partitions = append(topic.Partitions, p)
		}
		req.Topics = append(req.Topics, topic)
		res, err := req.RequestWith(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range res.Topics[0].Partitions {
			if p.ErrorCode != 0 {
				t.Fatalf("partition %d: error %d", p.Partition, p.ErrorCode)
			}
		}
	}
}

// TestCommandsLost: what the bus removed before the bridge read it is told on
// the bus once, however often the bridge starts, and what comes after it is
// carried out.
func TestCommandsLost(t *testing.T) {
	for name, start := range outside {
		t.Run(name, func(t *testing.T) {
			cfg, removeCommands := start(t)
			newService(t, cfg)
			r := launch(t, cfg)
			r.awaitReady()
			d := desk(t, cfg)
			for n := range 3 {
				publish(t, d, fmt.Sprint("before-", n), "alice", fmt.Sprint(n))
			}
			awaitTexts(t, d, "0", "1", "2")
			r.awaitPublished()
			r.stop()
			for n := range 3 {
				publish(t, d, fmt.Sprint("lost-", n), "alice", "lost")
			}
			removeCommands()
			publish(t, d, "after", "alice", "after")

			for start := range 3 {
				r := launch(t, cfg)
				r.awaitReady()
				awaitTexts(t, d, "0", "1", "2", "after")
				told := awaitEvents(t, d, "bridge.commands_lost", 1)
				var lost struct {
					Journal, Target, Reason string
					First, Last, Count      uint64
				}
				if err := told[0].DataAs(&lost); err != nil {
					t.Fatal(err)
				}
				if lost.Journal != r.journal.ID() || !strings.HasPrefix(lost.Target, "tim") || lost.First != 4 || lost.Last != 6 || lost.Count != 3 || lost.Reason == "" {
					t.Errorf("told of %+v", lost)
				}
				if err := schemas.New().Validate(told[0].Type(), told[0].Data()); err != nil {
					t.Error(err)
				}
				want := "timbridge_commands_lost_total 0\n"
				if start == 0 {
					want = "timbridge_commands_lost_total 3\n"
				}
				if _, body := r.get("/metrics"); !strings.Contains(body, want) {
					t.Errorf("start %d: the metrics do not say %q", start, want)
				}
				r.awaitPublished()
				r.stop()
			}
			if n := len(ofType(stored(t, d, bus.Events), "bridge.commands_lost")); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}
