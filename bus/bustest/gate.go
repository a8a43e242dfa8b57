package bustest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// Frame is one piece of what a client sends.
type Frame struct {
	Bytes []byte
	// Store says that it is part of a request to store messages on one of the
	// bridge's streams.
	Store bool
	// Parts is of how many parts of a round it completes the request.
	Parts int
}

// Splitter reads the next frame that a client sent.
type Splitter func(*bufio.Reader) (Frame, error)

// maxHeld is how many parts held can be waited for.
const maxHeld = 1024

// Gate is a way to the broker, which can be held up and cut. It listens on
// loopback.
type Gate struct {
	listener net.Listener
	upstream string
	split    Splitter

	mu      sync.Mutex
	conns   map[*gateConn]struct{}
	orphans []*gateConn
	hold    bool
	mute    bool
	blocked bool
	held    chan struct{} // a value for every whole request that is held
	wg      sync.WaitGroup
}

type gateConn struct {
	client, server net.Conn
	write          sync.Mutex // of the server's side
	held           [][]byte
	orphan         bool
	muted          bool // something was stored over it since Mute
}

// NewGate listens for clients of the broker at an address. It ends with the test.
func NewGate(t *testing.T, upstream string, split Splitter) *Gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{listener: l, upstream: upstream, split: split, conns: map[*gateConn]struct{}{}, held: make(chan struct{}, maxHeld)}
	g.wg.Go(g.accept)
	t.Cleanup(func() {
		_ = l.Close()
		g.Block()
		g.mu.Lock()
		for _, c := range g.orphans {
			_ = c.server.Close()
		}
		g.mu.Unlock()
		g.wg.Wait()
	})
	return g
}

// Addr is where clients connect.
func (g *Gate) Addr() string { return g.listener.Addr().String() }

func (g *Gate) accept() {
	for {
		client, err := g.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", g.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		c := &gateConn{client: client, server: server}
		g.mu.Lock()
		if g.blocked {
			g.mu.Unlock()
			_, _ = client.Close(), server.Close()
			continue
		}
		g.conns[c] = struct{}{}
		g.mu.Unlock()
		g.wg.Go(func() { g.toServer(c) })
		g.wg.Go(func() { g.toClient(c) })
	}
}

func (g *Gate) toServer(c *gateConn) {
	defer g.drop(c)
	for r := bufio.NewReaderSize(c.client, 1<<16); ; {
		f, err := g.split(r)
		if err != nil {
			return
		}
		c.write.Lock()
		g.mu.Lock()
		hold := g.hold && f.Store
		c.muted = c.muted || g.mute && f.Store
		g.mu.Unlock()
		if hold {
			c.held = append(c.held, f.Bytes)
			for range f.Parts {
				g.mu.Lock()
				select {
				case g.held <- struct{}{}:
				default: // more than anybody waits for
				}
				g.mu.Unlock()
			}
		} else {
			_, err = c.server.Write(f.Bytes)
		}
		c.write.Unlock()
		if err != nil {
			return
		}
	}
}

func (g *Gate) toClient(c *gateConn) {
	defer g.drop(c)
	buf := make([]byte, 1<<16)
	for {
		n, err := c.server.Read(buf)
		if err != nil {
			return
		}
		g.mu.Lock()
		silent := g.mute && c.muted || c.orphan
		g.mu.Unlock()
		if silent {
			continue
		}
		if _, err := c.client.Write(buf[:n]); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			g.mu.Lock()
			orphan := c.orphan
			g.mu.Unlock()
			if !orphan {
				return
			}
		}
	}
}

// drop ends a connection whose one side has ended, unless it is an orphan.
func (g *Gate) drop(c *gateConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = c.client.Close()
	if !c.orphan {
		_ = c.server.Close()
	}
	delete(g.conns, c)
}

// Hold keeps back every request to store from now on; others pass.
func (g *Gate) Hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold, g.held = true, make(chan struct{}, maxHeld)
}

// Held waits until the whole requests of n parts of a plan are held since Hold,
// be they in one or in many.
func (g *Gate) Held(ctx context.Context, n int) error {
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	for range n {
		select {
		case <-held:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Orphan takes the clients away from what is held: they see their connections
// end, as when their process dies, while Release will still deliver it.
func (g *Gate) Orphan() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.orphan = true
		_ = c.client.Close()
		g.orphans = append(g.orphans, c)
	}
}

// Release lets what is held go on to the broker, and holds no more.
func (g *Gate) Release() {
	g.mu.Lock()
	g.hold = false
	conns := append([]*gateConn(nil), g.orphans...)
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.mu.Unlock()
	for _, c := range conns {
		c.write.Lock()
		for _, b := range c.held {
			_, _ = c.server.Write(b) // whether it comes is what tests look at
		}
		c.held = nil
		c.write.Unlock()
	}
}

// Mute drops what the broker answers from now on to requests to store, and
// after them; a client that opens one more connection for them is not kept from it.
func (g *Gate) Mute() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mute = true
}

// Cut ends every connection; new ones are as before any Mute.
func (g *Gate) Cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		_, _ = c.client.Close(), c.server.Close()
	}
	g.mute = false
}

// Block ends every connection and refuses new ones, until Unblock.
func (g *Gate) Block() {
	g.mu.Lock()
	g.blocked = true
	g.mu.Unlock()
	g.Cut()
}

// Unblock takes connections again.
func (g *Gate) Unblock() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.blocked = false
}
