package nats

import (
	"bufio"
	"context"
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
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
)

// serverEnv makes this test binary run a NATS server instead of tests, so that
// a server can be killed like any process: "<port> <directory> <sync>".
const serverEnv = "TIMBRIDGE_TEST_NATS_SERVER"

const testToken = "test-token"

func TestMain(m *testing.M) {
	if args := os.Getenv(serverEnv); args != "" {
		serve(args)
		return
	}
	goleak.VerifyTestMain(m)
}

// serve runs a server until standard input ends.
func serve(args string) {
	f := strings.SplitN(args, " ", 3)
	port, err := strconv.Atoi(f[0])
	if err != nil {
		panic(err)
	}
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, Authorization: testToken, JetStream: true, StoreDir: f[2],
		SyncAlways: f[1] == "always", NoSigs: true, NoLog: true, JetStreamMaxStore: 1 << 30, JetStreamMaxMemory: 1 << 28,
	})
	if err != nil {
		panic(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		fmt.Println("not ready")
		os.Exit(1)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	srv.Shutdown()
	srv.WaitForShutdown()
}

// process is a NATS server as a process of its own.
type process struct {
	dir  string
	port int
	sync string

	mu    sync.Mutex
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

func newProcess(t testing.TB) *process {
	t.Helper()
	p := &process{dir: filepath.Join(t.TempDir(), "nats"), port: freePort(t), sync: "always"}
	p.run(t)
	t.Cleanup(func() { p.kill(t) })
	return p
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

func (p *process) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

func (p *process) run(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s %s", serverEnv, p.port, p.sync, p.dir))
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
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "ready" {
		t.Fatalf("server says %q, %v", line, err)
	}
	p.cmd, p.stdin = cmd, stdin
}

func (p *process) kill(t testing.TB) { p.end(t, func() error { return p.cmd.Process.Kill() }) }
func (p *process) stop(t testing.TB) { p.end(t, p.stdinClose) }

func (p *process) stdinClose() error { return p.stdin.Close() }

func (p *process) end(t testing.TB, how func() error) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	if err := how(); err != nil {
		t.Errorf("end the server: %v", err)
	}
	_ = p.cmd.Wait() // a kill is no success
	_ = p.stdin.Close()
	p.cmd = nil
}

// admin is a client of an administrator.
func admin(t testing.TB, addr string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect("nats://"+addr, nats.Token(testToken))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// testConfig is how tests open a bus on a server.
func testConfig(t testing.TB, addr string) Config {
	t.Helper()
	log := hclog.NewNullLogger()
	if os.Getenv("TIMBRIDGE_TEST_LOG") != "" {
		log = hclog.New(&hclog.LoggerOptions{Name: t.Name(), Level: hclog.Trace, Output: os.Stderr})
	}
	return Config{URL: "nats://" + addr, Token: testToken, RequestTimeout: 5 * time.Second, Logger: log}
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

// split reads what a NATS client sends, frame by frame, for gates.
func splitNATS(r *bufio.Reader) (f struct {
	bytes        []byte
	store, whole bool
}, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return f, err
	}
	f.bytes = line
	words := strings.Fields(string(line))
	if len(words) < 3 {
		return f, nil
	}
	var payload int
	switch strings.ToUpper(words[0]) {
	case "PUB":
		f.whole = len(words) == 4
	case "HPUB":
		f.whole = len(words) == 5
	default:
		return f, nil
	}
	if payload, err = strconv.Atoi(words[len(words)-1]); err != nil {
		return f, err
	}
	f.store = strings.HasPrefix(words[1], "tim.")
	body := make([]byte, payload+2)
	if _, err := io.ReadFull(r, body); err != nil {
		return f, err
	}
	f.bytes = append(f.bytes, body...)
	return f, nil
}
