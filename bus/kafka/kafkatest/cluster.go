package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"sync"
)

// Cluster is several brokers that hold what each other holds. It goes on while
// more than half of them run.
type Cluster struct {
	Brokers []*Broker
}

// NewCluster makes a cluster of so many brokers, and does not start it.
// Listeners cannot be shared, so that o has none.
func NewCluster(ctx context.Context, brokers int, o Options) (*Cluster, error) {
	if len(o.Listeners) > 0 {
		return nil, errors.New("make a cluster: several brokers cannot have the same listeners")
	}
	return newCluster(ctx, brokers, o, func(id int) string { return filepath.Join(o.Dir, strconv.Itoa(id)) })
}

func newCluster(ctx context.Context, brokers int, o Options, dir func(id int) string) (*Cluster, error) {
	jars, err := Fetch(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	c := &Cluster{}
	var voters []string
	taken := map[string]bool{}
	for id := 1; id <= brokers; id++ {
		b := &Broker{id: id}
		if b.dir, err = filepath.Abs(dir(id)); err != nil {
			return nil, fmt.Errorf("find the broker's folder: %w", err)
		}
		for _, addr := range []*string{&b.addr, &b.controller} {
			if *addr, err = freeAddr(taken); err != nil {
				return nil, err
			}
		}
		c.Brokers = append(c.Brokers, b)
		voters = append(voters, fmt.Sprintf("%d@%s", id, b.controller))
	}
	err = c.each(func(b *Broker) error {
		if err := b.configure(jars, voters, o); err != nil {
			return err
		}
		return b.format(ctx, o.Format)
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// each does something for every broker, side by side.
func (c *Cluster) each(do func(b *Broker) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(c.Brokers))
	for i, b := range c.Brokers {
		wg.Go(func() { errs[i] = do(b) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Addrs are the addresses of all brokers.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, b := range c.Brokers {
		addrs = append(addrs, b.Addr())
	}
	return addrs
}

// Start starts every broker that does not run, and waits until all are ready.
func (c *Cluster) Start(ctx context.Context) error {
	return c.each(func(b *Broker) error { return b.Start(ctx) })
}

// Kill ends all brokers as a crash does.
func (c *Cluster) Kill() error { return c.each((*Broker).Kill) }

// freeAddr finds an address that nobody listens at, and that no connection of
// a client is given while its broker is away: below the ports that systems
// give those.
func freeAddr(taken map[string]bool) (string, error) {
	const first, ports, tries = 15000, 17000, 200
	var err error
	for range tries {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(ports)))
		if taken[addr] {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			taken[addr] = true
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}
