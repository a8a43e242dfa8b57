package bridge

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/tim"
)

// maxOnTheWay bounds what a passage remembers of what is not stored yet. What
// comes beyond it, while the bus is away for long, is not measured.
const maxOnTheWay = 1 << 16

// latencies are how long things take.
type latencies struct {
	report, command *passage
	call, send      prometheus.Histogram
}

func newLatencies() *latencies {
	l := &latencies{report: &passage{}, command: &passage{}}
	for _, d := range distributions {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "timbridge_" + d.name, Help: d.help, Buckets: d.buckets})
		switch d.name {
		case reportSeconds:
			l.report.took = h
		case commandSeconds:
			l.command.took = h
		case callSeconds:
			l.call = h
		case sendSeconds:
			l.send = h
		}
	}
	return l
}

func (l *latencies) collectors() []prometheus.Collector {
	return []prometheus.Collector{l.report.took, l.command.took, l.call, l.send}
}

// publishing is what says how far the journal is published; the relay is one.
type publishing interface {
	Published() uint64
	Moved() <-chan struct{}
}

// run looks what has been stored whenever publishing has come further.
func (l *latencies) run(ctx context.Context, p publishing) error {
	for {
		moved := p.Moved()
		now, published := time.Now(), p.Published()
		l.report.stored(published, now)
		l.command.stored(published, now)
		select {
		case <-moved:
		case <-ctx.Done():
			return nil
		}
	}
}

// handedIn has a handler's reports measured: from here to where what was
// journaled by their acknowledgement is stored on the bus.
func (l *latencies) handedIn(p publishing, last func() uint64, take tim.Handler) tim.Handler {
	return func(r tim.Report) {
		at, ack := time.Now(), r.Ack
		r.Ack = func() {
			l.report.begin(p, last(), at)
			ack()
		}
		take(r)
	}
}

// passage measures the way of journal entries to the bus.
type passage struct {
	took prometheus.Histogram

	mu   sync.Mutex
	head int        // index of the oldest that is waited for
	way  []onTheWay // by position, but for those that came at once
}

type onTheWay struct {
	position uint64
	since    time.Time
}

// begin measures from a time on, until a position is stored.
func (p *passage) begin(by publishing, position uint64, since time.Time) {
	p.mu.Lock()
	if len(p.way)-p.head < maxOnTheWay {
		p.way = append(p.way, onTheWay{position, since})
	}
	p.mu.Unlock()
	// It may have been stored before this was written down.
	if published := by.Published(); published >= position {
		p.stored(published, time.Now())
	}
}

// stored takes note that everything through a position is stored.
func (p *passage) stored(through uint64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; p.head < len(p.way) && p.way[p.head].position <= through; p.head++ {
		p.took.Observe(max(0, now.Sub(p.way[p.head].since)).Seconds())
	}
	switch {
	case p.head == len(p.way):
		p.way, p.head = p.way[:0], 0
	case p.head > len(p.way)/2:
		p.way, p.head = p.way[:copy(p.way, p.way[p.head:])], 0
	}
}

// timedBus measures how long the bus takes to store a round.
type timedBus struct {
	*lateBus
	took prometheus.Histogram
}

// Send measures the attempts that stored a whole round.
func (t timedBus) Send(ctx context.Context, plan bus.Plan, msgs []bus.Message, look bool) error {
	began := time.Now()
	err := t.lateBus.Send(ctx, plan, msgs, look)
	if err == nil {
		t.took.Observe(time.Since(began).Seconds())
	}
	return err
}
