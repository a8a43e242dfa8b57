package bridge

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/tim"
)

// kafkaBroker is one of franz-go's inside the test, at an address that stays, and
// with what it stores in a folder.
type kafkaBroker struct {
	t       testing.TB
	address string
	dir     string
	cluster *kfake.Cluster
}

// newKafka starts a broker.
func newKafka(t testing.TB) *kafkaBroker {
	t.Helper()
	k := &kafkaBroker{t: t, address: freeAddress(t), dir: t.TempDir()}
	k.start()
	t.Cleanup(k.stop)
	return k
}

func (k *kafkaBroker) start() {
	k.t.Helper()
	_, port, _ := strings.Cut(k.address, ":")
	n, err := strconv.Atoi(port)
	if err == nil {
		k.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(n), kfake.DataDir(k.dir))
	}
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *kafkaBroker) stop() {
	if k.cluster != nil {
		k.cluster.Close()
		k.cluster = nil
	}
}

// newKafkaConfig is as newConfig, with a bus on Kafka.
func newKafkaConfig(t testing.TB, k *kafkaBroker) *config.Config {
	t.Helper()
	cfg := newConfig(t)
	cfg.Bus.Kind, cfg.Bus.Kafka.Brokers, cfg.Bus.Kafka.Partitions = "kafka", []string{k.address}, 3
	return cfg
}

// TestKafkaAway: while no broker is there, at the start and later, chat is
// journaled and the bridge says why it is not ready; when there is one again it
// goes on by itself, and everything is on the bus once.
func TestKafkaAway(t *testing.T) {
	k := newKafka(t)
	k.stop()
	cfg := newKafkaConfig(t, k)
	s := newService(t, cfg)
	r := launch(t, cfg)
	r.awaitState(AccountConnected)
	alice := s.person("alice", tim.PlatformOther)
	say(t, alice, "one")
	r.awaitNotReady("the bus cannot be used: kafka://" + k.address + " has not been reached yet")
	status, body := r.get("/ready")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, k.address) {
		t.Errorf("/ready is %d %s", status, body)
	}
	if status, _ := r.get("/live"); status != http.StatusOK {
		t.Errorf("/live is %d: a restart would not help", status)
	}

	k.start()
	r.awaitReady()
	r.awaitPublished()
	if _, body := r.get("/metrics"); !strings.Contains(body, "timbridge_ready 1\n") || !strings.Contains(body, "timbridge_publish_lag_entries 0\n") {
		t.Errorf("/metrics does not say that it is ready and has published all:\n%s", body)
	}
	k.stop()
	say(t, alice, "two")
	r.awaitNotReady("the bus cannot be used: ")
	if _, body := r.get("/metrics"); !strings.Contains(body, "timbridge_ready 0\n") {
		t.Errorf("/metrics does not say that it is not ready:\n%s", body)
	}

	k.start()
	r.awaitReady()
	say(t, alice, "three")
	d := desk(t, cfg)
	awaitTexts(t, d, "one", "two", "three")
	publish(t, d, "four", "alice", "four")
	awaitTexts(t, d, "one", "two", "three", "four")
	r.awaitPublished()
	if got := texts(t, stored(t, d, bus.Events)); !slices.Equal(got, []string{"one", "two", "three", "four"}) {
		t.Errorf("%q", got)
	}
}
