package bridge

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Health is what /ready says.
type Health struct {
	Ready bool `json:"ready"`
	// Reasons say why not: one sentence for each thing that is away.
	Reasons  []string        `json:"reasons,omitempty"`
	Accounts []AccountStatus `json:"accounts"`
	Bus      BusHealth       `json:"bus"`
	Journal  JournalHealth   `json:"journal"`
}

// BusHealth is the last that the bus itself showed.
type BusHealth struct {
	// Proof is when it last answered that every stream is there and as configured.
	Proof time.Time `json:"proof,omitzero"`
	Error string    `json:"error,omitempty"`
	// Lag is how many journal entries are not published yet.
	Lag uint64 `json:"lag"`
}

// JournalHealth is whether the journal takes reports and commands.
type JournalHealth struct {
	// ID is the journal's UUID: it tells one bridge from another.
	ID   string `json:"id"`
	Full bool   `json:"full"`
	Last uint64 `json:"last_position"`
}

// probe keeps a recent proof that the bus is there. It asks the bus, it does
// not remember a connection that was once made.
type probe struct {
	every time.Duration
	check func(context.Context) error

	mu    sync.Mutex
	proof time.Time
	err   error
}

func (p *probe) run(ctx context.Context) error {
	for ctx.Err() == nil {
		c, cancel := context.WithTimeout(ctx, p.every)
		err := p.check(c)
		cancel()
		if ctx.Err() != nil {
			break
		}
		p.mu.Lock()
		if p.err = err; err == nil {
			p.proof = time.Now()
		}
		p.mu.Unlock()
		if err != nil {
			pause(ctx, p.every/20) // ready again soon after it is back
			continue
		}
		pause(ctx, p.every)
	}
	return nil
}

func (p *probe) last() (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proof, p.err
}

// Health tells whether the bridge does its work now, and why not.
func (b *Bridge) Health() Health {
	h := Health{Accounts: []AccountStatus{}}
	reason := func(text string) {
		if !slices.Contains(h.Reasons, text) {
			h.Reasons = append(h.Reasons, text)
		}
	}
	if b.draining.Load() {
		reason("the bridge is ending")
	}
	within := b.cfg.HTTP.ReadyWithin.Std()
	for _, a := range b.accounts.list {
		s := a.Status()
		h.Accounts = append(h.Accounts, s)
		switch heard, ok := a.heard(); {
		case s.State != AccountConnected && s.State != AccountCatchingUp, s.Error != "":
			text := "account " + string(s.User) + " is " + string(s.State)
			if s.Error != "" {
				text += ": " + s.Error
			}
			reason(text)
		case ok && time.Since(heard) > within:
			reason("account " + string(s.User) + ": the IM service has shown nothing of itself for " + time.Since(heard).Round(time.Second).String())
		}
	}
	if b.sandbox != nil {
		if err := b.sandbox.Err(); err != nil {
			reason("the sandbox can store nothing: " + err.Error())
		}
	}
	proof, err := b.probe.last()
	h.Bus = BusHealth{Proof: proof}
	switch {
	case err != nil:
		h.Bus.Error = err.Error()
		reason("the bus cannot be used: " + err.Error())
	case proof.IsZero():
		reason("the bus has not been asked yet")
	case time.Since(proof) > within:
		reason("the bus has shown nothing of itself for " + time.Since(proof).Round(time.Second).String())
	}
	relay := b.relay.Stats()
	h.Bus.Lag = relay.Lag
	if relay.Trouble != "" {
		h.Bus.Error = relay.Trouble
		reason("publishing stands still: " + relay.Trouble)
	}
	if trouble := b.egress.Stats().Trouble; trouble != "" {
		reason("commands are not taken: " + trouble)
	}
	stats := b.journal.Stats()
	h.Journal = JournalHealth{ID: b.journal.ID(), Full: stats.Full, Last: b.journal.Last()}
	if stats.Full {
		reason("the journal's volume is full: reports and commands have stopped until there is more room than journal.high_water")
	}
	if err := b.journal.Err(); err != nil {
		reason("the journal has failed: " + err.Error())
	}
	h.Ready = len(h.Reasons) == 0
	return h
}

// routes serves /live, /ready and /metrics.
func (b *Bridge) routes(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) {
		if err := b.journal.Err(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		if _, err := w.Write([]byte("live\n")); err != nil {
			b.log.Debug("the answer to /live was not taken", "error", err)
		}
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		h := b.Health()
		w.Header().Set("Content-Type", "application/json")
		if !h.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if err := enc.Encode(h); err != nil {
			b.log.Debug("the answer to /ready was not taken", "error", err)
		}
	})
	mux.Handle("GET /metrics", metrics)
	return mux
}
