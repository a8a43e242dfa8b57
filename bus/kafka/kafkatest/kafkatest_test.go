package kafkatest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program makes a shell script of that name the only one of the path.
func program(t *testing.T, names map[string]string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	dir := t.TempDir()
	for name, script := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+"/bin"+string(filepath.ListSeparator)+"/usr/bin")
}

// What a machine lacks is said in words, with what to do about it.
func TestMissing(t *testing.T) {
	const java = `echo 'openjdk version "21.0.1" 2023-10-17' >&2`
	for name, c := range map[string]struct {
		programs map[string]string
		want     []string
	}{
		"a Java that does not run": {map[string]string{"java": "echo broken >&2; exit 1"}, []string{"does not run", "broken", "default-jre-headless"}},
		"an old Java":              {map[string]string{"java": `echo 'java version "1.8.0_392"' >&2`}, []string{"version 1;", "17 or later"}},
		"no repository": {
			map[string]string{"java": java, "mvn": "echo 'Unknown host' ; exit 1"}, []string{"cannot fetch Apache Kafka", "Unknown host", "repository"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			program(t, c.programs)
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			t.Setenv("HOME", t.TempDir())
			_, err := Fetch(t.Context(), nil)
			var missing *MissingError
			if !errors.As(err, &missing) {
				t.Fatalf("%v is no MissingError", err)
			}
			for _, words := range c.want {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not say %q", err, words)
				}
			}
		})
	}
}

// Several that fetch at once fetch once, and what did not come whole is not
// there.
func TestFetchOnce(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	program(t, map[string]string{
		"java": `echo 'openjdk version "17.0.1"' >&2`,
		"mvn": `echo fetched >> ` + count + `
[ $(wc -l < ` + count + `) -gt 1 ] || exit 1 # the first time the network is bad
for arg; do case $arg in -DoutputDirectory=*) mkdir -p "${arg#*=}" && echo jar > "${arg#*=}/kafka.jar";; esac; done`,
	})
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	var missing *MissingError
	if _, err := Fetch(t.Context(), nil); !errors.As(err, &missing) {
		t.Fatalf("%v is no MissingError", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	told := 0
	for range 8 {
		wg.Go(func() {
			dir, err := Fetch(t.Context(), func(string) { mu.Lock(); told++; mu.Unlock() })
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "kafka.jar")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if text, err := os.ReadFile(count); err != nil || strings.Count(string(text), "fetched") != 2 || told != 1 {
		t.Errorf("fetched: %q, %v; told %d times", text, err, told)
	}
}

func needApache(t testing.TB) {
	t.Helper()
	if os.Getenv("TIMBRIDGE_TEST_KAFKA") == "" {
		t.Skip("a real broker is only started with TIMBRIDGE_TEST_KAFKA=1: make test-kafka")
	}
	if _, err := exec.LookPath("java"); err != nil {
		t.Fatal(err)
	}
}

func client(t *testing.T, addrs ...string) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic("t"), kgo.MetadataMinAge(10*time.Millisecond), kgo.AlwaysRetryEOF())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createTopic(t *testing.T, c *kgo.Client, replicas int16) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", 1, replicas
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(t.Context(), c)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A broker that is killed has what it took when it is started again; one that
// is started twice is started once; one that cannot start says why.
func TestApacheBroker(t *testing.T) {
	needApache(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	b, err := New(ctx, Options{Dir: t.TempDir(), Properties: "num.partitions=7"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Kill(); err != nil {
			t.Error(err)
		}
	}()
	for range 2 {
		if err := b.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	c := client(t, b.Addr())
	createTopic(t, c, 1)
	for range 2 {
		if err := c.ProduceSync(ctx, kgo.StringRecord("said")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		if b.Running() {
			t.Error("it runs")
		}
		if err := b.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics("t"), kgo.AlwaysRetryEOF())
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	for n := 0; n < 2; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		n += fetches.NumRecords()
	}
	stopping, give := context.WithTimeout(ctx, time.Minute)
	defer give()
	if err := b.Stop(stopping); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(b.file("server.properties"), []byte("node.id=none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(ctx); err == nil || !strings.Contains(err.Error(), "it ended") || !strings.Contains(err.Error(), "none") {
		t.Errorf("with a wrong configuration: %v", err)
	}
}

// A cluster of three goes on with two of them.
func TestApacheCluster(t *testing.T) {
	needApache(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cluster, err := NewCluster(ctx, 3, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Kill(); err != nil {
			t.Error(err)
		}
	}()
	if err := cluster.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c := client(t, cluster.Addrs()...)
	createTopic(t, c, 3)
	for _, b := range cluster.Brokers {
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(ctx, kgo.StringRecord("said")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cluster.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
