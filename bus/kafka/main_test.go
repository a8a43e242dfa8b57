package kafka

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/timbridge/timbridge/bus/bustest"
)

// brokerEnv makes this test binary run a broker instead of tests, so that it
// can be killed like any process: "<port> <directory>".
const brokerEnv = "TIMBRIDGE_TEST_KFAKE"

func TestMain(m *testing.M) {
	if args := os.Getenv(brokerEnv); args != "" {
		serve(args)
		return
	}
	goleak.VerifyTestMain(m)
}

// serve runs a broker until standard input ends, and does what it is told there.
func serve(args string) {
	port, dir, _ := strings.Cut(args, " ")
	n, err := strconv.Atoi(port)
	if err != nil {
		panic(err)
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(n), kfake.DataDir(dir), kfake.SyncWrites())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	faults := map[string]*kfake.FaultHandle{}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		word, topic, _ := strings.Cut(in.Text(), " ")
		switch word {
		case "refuse":
			faults[topic] = c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: -1})
		case "allow":
			faults[topic].Remove()
		case "retain":
			c.ApplyRetention()
		}
		fmt.Println("done")
	}
	c.Close()
}

// broker is a broker that tests can start and end.
type broker interface {
	addr() string
	folder() string
	run(t testing.TB)
	stop(t testing.TB)
	kill(t testing.TB)
	// refuse has a topic refuse records until undo is called.
	refuse(t testing.TB, topic string) (undo func())
	// retain applies the retention of now.
	retain(t testing.TB)
}

// fake is a broker of franz-go's as a process of its own.
type fake struct {
	dir  string
	port int

	mu     sync.Mutex
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{dir: filepath.Join(t.TempDir(), "kafka"), port: freePort(t)}
	f.run(t)
	t.Cleanup(func() { f.kill(t) })
	return f
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func (f *fake) addr() string   { return net.JoinHostPort("127.0.0.1", strconv.Itoa(f.port)) }
func (f *fake) folder() string { return f.dir }

func (f *fake) run(t testing.TB) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", brokerEnv, f.port, f.dir))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.cmd, f.stdin, f.stdout = cmd, stdin, bufio.NewReader(stdout)
	if line, err := f.stdout.ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
		t.Fatalf("the broker says %q, %v", line, err)
	}
}

func (f *fake) kill(t testing.TB) { f.end(t, func() error { return f.cmd.Process.Kill() }) }
func (f *fake) stop(t testing.TB) { f.end(t, func() error { return f.stdin.Close() }) }

func (f *fake) end(t testing.TB, how func() error) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cmd == nil {
		return
	}
	if err := how(); err != nil {
		t.Errorf("end the broker: %v", err)
	}
	_ = f.cmd.Wait() // a kill is no success
	_ = f.stdin.Close()
	f.cmd = nil
}

func (f *fake) tell(t testing.TB, line string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := fmt.Fprintln(f.stdin, line); err != nil {
		t.Fatal(err)
	}
	if line, err := f.stdout.ReadString('\n'); err != nil || strings.TrimSpace(line) != "done" {
		t.Fatalf("the broker says %q, %v", line, err)
	}
}

func (f *fake) refuse(t testing.TB, topic string) func() {
	f.tell(t, "refuse "+topic)
	return func() { f.tell(t, "allow "+topic) }
}

func (f *fake) retain(t testing.TB) { f.tell(t, "retain") }

// admin is an administrator's client, of another make than ours.
func admin(t testing.TB, addr string) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// testConfig is how tests open a bus on a broker.
func testConfig(t testing.TB, addr string) Config {
	t.Helper()
	log := hclog.NewNullLogger()
	if os.Getenv("TIMBRIDGE_TEST_LOG") != "" {
		log = hclog.New(&hclog.LoggerOptions{Name: t.Name(), Level: hclog.Trace, Output: os.Stderr})
	}
	return Config{Brokers: []string{addr}, Partitions: 3, RequestTimeout: 5 * time.Second, Logger: log}
}

// mustOpen opens a bus for one test.
func mustOpen(t testing.TB, cfg Config) *Bus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, err := Open(ctx, cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// throughGate leads connections to a broker by a gate.
func throughGate(addr string, gate *bustest.Gate) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == addr {
			to = gate.Addr()
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}
}

// splitKafka reads what a Kafka client sends, request by request, for gates.
func splitKafka(r *bufio.Reader) (bustest.Frame, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return bustest.Frame{}, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 2 || n > 200<<20 {
		return bustest.Frame{}, fmt.Errorf("a request of %d bytes", n)
	}
	b := make([]byte, 4+n)
	copy(b, size[:])
	if _, err := io.ReadFull(r, b[4:]); err != nil {
		return bustest.Frame{}, err
	}
	const produce = 0
	if binary.BigEndian.Uint16(b[4:]) != produce {
		return bustest.Frame{Bytes: b}, nil
	}
	return bustest.Frame{Bytes: b, Store: true, Parts: partitionsOf(b[4:])}, nil
}

// partitionsOf counts the partitions of a produce request.
func partitionsOf(request []byte) (n int) {
	d := wireDecoder{b: request}
	d.int16()
	if d.int16() != produceVersion {
		return 1 // another client's
	}
	d.int32()
	d.take(int(d.int16()))
	d.tags()
	d.compact()
	d.int16()
	d.int32()
	for range d.count(1) {
		d.compact()
		for range d.count(1) {
			d.int32()
			d.compact()
			d.tags()
			n++
		}
		d.tags()
	}
	return n
}
