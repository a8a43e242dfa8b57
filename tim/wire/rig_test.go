package wire

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

const testToken = "s3cret"

// rig is a server on loopback that can be restarted, with a proxy before it
// that cuts connections.
type rig struct {
	t     testing.TB
	far   *farService
	opts  HandlerOptions
	proxy *proxy
	addr  string // the server's, once it runs

	handler *Handler
	server  *http.Server
	served  chan struct{}
}

func newRig(t testing.TB, opts HandlerOptions) *rig {
	t.Helper()
	opts.Token = testToken
	r := &rig{t: t, far: newFar(), opts: opts, addr: "127.0.0.1:0"}
	r.up()
	r.proxy = newProxy(t, r.addr)
	t.Cleanup(func() {
		r.proxy.close()
		if r.server != nil {
			r.down()
		}
	})
	return r
}

// up starts the server, on the same address as before.
func (r *rig) up() {
	r.t.Helper()
	listener, err := net.Listen("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.addr = listener.Addr().String()
	r.handler = NewHandler(r.far, r.opts)
	r.server = &http.Server{Handler: r.handler}
	r.served = make(chan struct{})
	server, served := r.server, r.served
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
}

// down stops the server; sessions are gone then.
func (r *rig) down() {
	r.t.Helper()
	if err := r.handler.Close(); err != nil {
		r.t.Error(err)
	}
	if err := r.server.Close(); err != nil {
		r.t.Error(err)
	}
	<-r.served
	r.server = nil
}

// driver goes through the proxy, quick to come back.
func (r *rig) driver(change ...func(*Options)) *Driver {
	o := Options{
		URL: "ws://" + r.proxy.addr + "/", Token: testToken,
		MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
	}
	for _, f := range change {
		f(&o)
	}
	return NewDriver(o)
}

func (r *rig) open(change ...func(*Options)) tim.Client {
	r.t.Helper()
	c, err := r.driver(change...).Open(within(r.t, 10*time.Second), tim.Config{SDKAppID: 1400000000})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// within is a context with a time limit, ended with the test.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for something that must come true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in 30 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// proxy forwards connections and cuts, freezes or counts them on request.
type proxy struct {
	listener net.Listener
	addr     string
	target   string
	wg       sync.WaitGroup

	mu     sync.Mutex
	pairs  map[*pair]bool
	refuse bool
	// cutAfter, when above 0, cuts each new connection once that many bytes
	// have gone towards the server or the client.
	cutUp, cutDown int
	frozen         chan struct{} // not nil: nothing is forwarded until it is closed
	accepted       int
}

type pair struct{ client, server net.Conn }

func (p *pair) cut() {
	_ = p.client.Close()
	_ = p.server.Close()
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, addr: l.Addr().String(), target: target, pairs: make(map[*pair]bool)}
	p.wg.Go(p.accept)
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.accepted++
		refuse, up, down := p.refuse, p.cutUp, p.cutDown
		p.mu.Unlock()
		if refuse {
			_ = client.Close()
			continue
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		one := &pair{client, server}
		p.mu.Lock()
		p.pairs[one] = true
		p.mu.Unlock()
		p.wg.Go(func() { p.forward(one, server, client, up) })
		p.wg.Go(func() { p.forward(one, client, server, down) })
	}
}

func (p *proxy) forward(one *pair, to, from net.Conn, limit int) {
	defer func() {
		one.cut()
		p.mu.Lock()
		delete(p.pairs, one)
		p.mu.Unlock()
	}()
	buf := make([]byte, 16<<10)
	total := 0
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		if limit > 0 && total+n >= limit {
			_, _ = to.Write(buf[:limit-total])
			return
		}
		total += n
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// cut breaks the connections there are.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for one := range p.pairs {
		one.cut()
	}
}

func (p *proxy) set(f func(*proxy)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// freeze stops all forwarding, with the connections left open.
func (p *proxy) freeze() (thaw func()) {
	frozen := make(chan struct{})
	p.set(func(p *proxy) { p.frozen = frozen })
	return func() {
		p.set(func(p *proxy) { p.frozen = nil })
		close(frozen)
	}
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
	p.mu.Unlock()
	p.cut()
	p.wg.Wait()
}

// listener collects what a client reports.
type collector struct {
	mu      sync.Mutex
	reports []tim.Report
	onEach  func(tim.Report) // called without the lock
}

func (c *collector) handle(r tim.Report) {
	c.mu.Lock()
	c.reports = append(c.reports, r)
	f := c.onEach
	c.mu.Unlock()
	if f != nil {
		f(r)
	}
}

func (c *collector) all() []tim.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]tim.Report(nil), c.reports...)
}

// messages are the texts received, in order.
func (c *collector) messages() []string {
	var texts []string
	for _, r := range c.all() {
		if m, ok := r.Event.(tim.MessagesReceived); ok {
			for _, one := range m.Messages {
				texts = append(texts, one.Elems[0].(tim.TextElem).Content)
			}
		}
	}
	return texts
}

// connections are the states told, in order.
func (c *collector) connections() []tim.ConnectionChanged {
	var states []tim.ConnectionChanged
	for _, r := range c.all() {
		if s, ok := r.Event.(tim.ConnectionChanged); ok {
			states = append(states, s)
		}
	}
	return states
}

func textMessage(s string) tim.Message {
	return tim.Message{Elems: []tim.Elem{tim.TextElem{Content: s}}}
}

func received(s string) tim.Event {
	return tim.MessagesReceived{Messages: []tim.Message{textMessage(s)}}
}
