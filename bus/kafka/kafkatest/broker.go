package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Options are how brokers are made. All but Dir may be left out.
type Options struct {
	// Dir is where everything of them is kept. Nobody removes it.
	Dir string
	// Properties are more lines of server.properties; the last of a name holds.
	Properties string
	// Listeners are listeners beside the one that speaks plain text.
	Listeners []Listener
	// Format are more arguments of the storage tool's format, as in
	// --add-scram.
	Format []string
	// Progress is told what takes long.
	Progress func(line string)
}

// Listener is an address at which a broker of a single node listens too.
type Listener struct {
	Name     string
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	Addr     string
}

// Broker is one broker, which is a controller of its cluster as well. Its
// methods may be called by several goroutines.
type Broker struct {
	id               int
	dir              string
	addr, controller string

	mu   sync.Mutex
	cmd  *exec.Cmd     // nil while it does not run
	done chan struct{} // closed when it has ended
}

// New makes a broker that is a cluster of its own, and does not start it.
func New(ctx context.Context, o Options) (*Broker, error) {
	c, err := newCluster(ctx, 1, o, func(int) string { return o.Dir })
	if err != nil {
		return nil, err
	}
	return c.Brokers[0], nil
}

// Addr is the host and port at which it speaks plain text.
func (b *Broker) Addr() string { return b.addr }

// Data is the folder of what it has stored.
func (b *Broker) Data() string { return b.file("data") }

func (b *Broker) file(name string) string { return filepath.Join(b.dir, name) }

// Args are what Java is started with, for who runs the process himself. Start
// and the other methods are not for him, but for Await.
func (b *Broker) Args() []string {
	return []string{"@" + b.file("java.options"), "kafka.Kafka", b.file("server.properties")}
}

// Start starts it, over what it has stored, and waits until it is ready. One
// that runs is only waited for. It is ended when ctx ends meanwhile.
func (b *Broker) Start(ctx context.Context) error {
	done, err := b.run()
	if err != nil {
		return err
	}
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case <-done:
			stop(errors.New("it ended"))
		case <-watching.Done():
		}
	}()
	if err := b.Await(watching); err != nil {
		return errors.Join(fmt.Errorf("start a broker: %w; its log ends with:\n%s", err, b.LogTail(2000)), b.Kill())
	}
	return nil
}

// run starts the process.
func (b *Broker) run() (done chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd != nil {
		return b.done, nil
	}
	log, err := os.OpenFile(b.file("broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start a broker: %w", err)
	}
	cmd := exec.Command("java", b.Args()...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = diesWithUs()
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start a broker: %w", err), log.Close())
	}
	done = make(chan struct{})
	b.cmd, b.done = cmd, done
	go func() {
		_ = cmd.Wait() // its code says how it was ended
		_ = log.Close()
		b.mu.Lock()
		b.cmd = nil
		b.mu.Unlock()
		close(done)
	}()
	return done, nil
}

// Await waits until it answers as one of its cluster.
func (b *Broker) Await(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.RequestRetries(0), kgo.DialTimeout(5*time.Second), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return fmt.Errorf("ask the broker: %w", err)
	}
	defer client.Close()
	for {
		// Not of the client's own store of brokers, which knows those that went.
		one, cancel := context.WithTimeout(ctx, 10*time.Second)
		res, err := client.SeedBrokers()[0].Request(one, kmsg.NewPtrMetadataRequest())
		cancel()
		if err == nil {
			if m := res.(*kmsg.MetadataResponse); b.amongItsOwn(m) {
				return nil
			}
			err = errors.New("it is not one of its cluster")
		}
		if slept := sleep(ctx, 50*time.Millisecond); slept != nil {
			return fmt.Errorf("the broker is not ready: %w: %w", slept, err)
		}
	}
}

func (b *Broker) amongItsOwn(m *kmsg.MetadataResponse) bool {
	for _, other := range m.Brokers {
		if int(other.NodeID) == b.id {
			return m.ControllerID >= 0
		}
	}
	return false
}

// Kill ends it as a crash does, where it runs.
func (b *Broker) Kill() error {
	b.mu.Lock()
	cmd, done := b.cmd, b.done
	b.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the broker: %w", err)
	}
	<-done
	return nil
}

// Stop asks it to end and waits for that; when ctx ends first, it is killed.
func (b *Broker) Stop(ctx context.Context) error {
	b.mu.Lock()
	cmd, done := b.cmd, b.done
	b.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the broker: %w", err)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("stop the broker: %w", ctx.Err()), b.Kill())
	}
}

func (b *Broker) signal(s syscall.Signal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return fmt.Errorf("%s to the broker: %w", s, os.ErrProcessDone)
	}
	if err := b.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%s to the broker: %w", s, err)
	}
	return nil
}

// Running says whether it runs.
func (b *Broker) Running() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cmd != nil
}

// LogTail is the end of its log, of n bytes at most.
func (b *Broker) LogTail(n int) string {
	text, err := os.ReadFile(b.file("broker.log"))
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text[max(0, len(text)-n):]))
}

// format makes its folder one of a broker.
func (b *Broker) format(ctx context.Context, more []string) error {
	args := append([]string{"@" + b.file("java.options"), "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", b.file("server.properties")}, more...)
	if out, err := exec.CommandContext(ctx, "java", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("format the broker's folder: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
