package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/bus/kafka/kafkatest"
)

var realKafka = flag.String("kafka", "", "a broker, host:port, for the tests on Kafka; default: one inside the test, or with "+apacheEnv+"=1 an Apache Kafka")

// apacheEnv has the tests on Kafka start a real one: make test-kafka.
const apacheEnv = "TIMBRIDGE_TEST_KAFKA"

// kafkaBus is a bus for one test: a broker, and topics of its own on it.
type kafkaBus struct {
	address string
	topics  string // what their names begin with
}

// kafkaBuses gives buses, of brokers inside the test, or with other topics each
// of a real one.
func kafkaBuses(t *testing.T) func() (*kafkaBus, error) {
	t.Helper()
	address := *realKafka
	if address == "" && os.Getenv(apacheEnv) != "" {
		broker, err := kafkatest.New(t.Context(), kafkatest.Options{Dir: t.TempDir(), Progress: func(line string) { t.Log(line) }})
		if err == nil {
			t.Cleanup(func() {
				if err := broker.Kill(); err != nil {
					t.Error(err)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			err = broker.Start(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		address = broker.Addr()
	}
	return func() (*kafkaBus, error) {
		if address != "" {
			k := &kafkaBus{address: address, topics: "test" + strings.ToLower(rand.Text())}
			if *realKafka != "" {
				t.Cleanup(k.remove)
			}
			return k, nil
		}
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return nil, err
		}
		t.Cleanup(cluster.Close) // after the bridges, whose end would wait for it
		return &kafkaBus{address: cluster.ListenAddrs()[0], topics: "tim"}, nil
	}
}

// block is the bus in a configuration.
func (k *kafkaBus) block() string {
	text := fmt.Sprintf("bus \"kafka\" {\n  brokers    = [%q]\n  partitions = 3\n", k.address)
	if k.topics != "tim" {
		text += fmt.Sprintf("  group = %q\n", k.topics)
		for _, stream := range []string{"events", "commands", "outcomes", "deadletters"} {
			text += fmt.Sprintf("  %s { name = %q }\n", stream, k.topics+"."+stream)
		}
	}
	return text + "}"
}

// remove deletes the topics.
func (k *kafkaBus) remove() {
	c, err := kgo.NewClient(kgo.SeedBrokers(k.address))
	if err != nil {
		return
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 5000
	for _, stream := range []string{"events", "commands", "outcomes", "deadletters"} {
		topic, name := kmsg.NewDeleteTopicsRequestTopic(), k.topics+"."+stream
		topic.Topic = &name
		req.Topics, req.TopicNames = append(req.Topics, topic), append(req.TopicNames, name)
	}
	_, _ = req.RequestWith(ctx, c) // what is left belongs to a broker of tests
}

// onBothBuses are the scripts that run on Kafka as they do on NATS.
var onBothBuses = []string{"badinput", "chat", "deadletter", "interrupt", "journal", "second", "tour"}

// TestScriptsOnKafka runs what people do on Kafka too.
func TestScriptsOnKafka(t *testing.T) {
	p, newBus := scriptParams(t, "kafka"), kafkaBuses(t)
	for _, name := range onBothBuses {
		p.Files = append(p.Files, filepath.Join("testdata", "script", name+".txt"))
	}
	p.Setup = func(e *testscript.Env) error {
		k, err := newBus()
		if err != nil {
			return err
		}
		err = prepare(e.WorkDir, k.block(), func(name, value string) { e.Setenv(name, value) })
		e.Setenv("BUS", k.address)
		e.Setenv("TOPIC", k.topics+".commands")
		e.Setenv("COMMANDS", k.topics+".commands")
		return err
	}
	testscript.Run(t, p)
}

// produceRaw puts a command on a topic, with the key of those that "send"
// publishes, so that it comes before the next of them.
func produceRaw(ts *testscript.TestScript, topic, value string, headers []string) {
	c, err := kgo.NewClient(kgo.SeedBrokers(ts.Getenv("BUS")), kgo.ProducerBatchMaxBytes(16<<20))
	ts.Check(err)
	defer c.Close()
	r := &kgo.Record{Topic: topic, Key: []byte("account/bridge"), Value: []byte(value)}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, "=")
		if attribute, ok := strings.CutPrefix(name, "ce-"); ok {
			name = "ce_" + attribute
		}
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ts.Check(c.ProduceSync(ctx, r).FirstErr())
}

// TestKafkaScripts are about what only Kafka has: a broker that is not there,
// and one that refuses.
func TestKafkaScripts(t *testing.T) {
	p := scriptParams(t, "kafka")
	p.Dir = filepath.Join("testdata", "kafka")
	p.Setup = func(e *testscript.Env) error {
		e.Values[brokersKey{}] = map[string]*kfake.Cluster{}
		e.Setenv("TOPIC", "tim.commands")
		return prepare(e.WorkDir, "", func(name, value string) { e.Setenv(name, value) })
	}
	p.Cmds["broker"], p.Cmds["reason"] = brokerCommand, reason
	testscript.Run(t, p)
}

// brokersKey is where a script has its brokers, by address.
type brokersKey struct{}

// brokerCommand starts a broker, one that asks for a password, or one of an old
// version, and ends it: broker start $BUS [sasl | old]; broker stop $BUS
func brokerCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: broker start|stop address [sasl|old]")
	}
	running := ts.Value(brokersKey{}).(map[string]*kfake.Cluster)
	address := args[1]
	if args[0] == "stop" {
		running[address].Close()
		delete(running, address)
		return
	}
	_, port, err := net.SplitHostPort(address)
	ts.Check(err)
	n, err := strconv.Atoi(port)
	ts.Check(err)
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(n), kfake.DataDir(ts.MkAbs("kafka-" + port))}
	for _, word := range args[2:] {
		switch word {
		case "sasl":
			opts = append(opts, kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "alice-pw"), kfake.Superuser("SCRAM-SHA-512", "alice", "alice-pw"))
		case "old":
			opts = append(opts, kfake.MaxVersions(kversion.V2_8_0()))
		default:
			ts.Fatalf("no broker is %q", word)
		}
	}
	cluster, err := kfake.NewCluster(opts...)
	ts.Check(err)
	running[address] = cluster
	ts.Defer(func() {
		if running[address] == cluster {
			cluster.Close()
		}
	})
}

// reason waits until a bridge that runs says that it is not ready, for a reason
// that matches: reason $HTTP 'the bus cannot be used'
func reason(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: reason address pattern")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	var h bridge.Health
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + args[0] + "/ready")
		ts.Check(err)
		h = bridge.Health{}
		err = json.NewDecoder(res.Body).Decode(&h)
		ts.Check(errors.Join(err, res.Body.Close()))
		if res.StatusCode == http.StatusServiceUnavailable && !h.Ready && slices.ContainsFunc(h.Reasons, pattern.MatchString) {
			return
		}
	}
	ts.Fatalf("not for that reason within 20 s: %+v", h)
}
