package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Durability is what could be found out about the server.
type Durability struct {
	// Sync is what it does before acknowledging.
	Sync Sync
	// Detail is a sentence for people, with what to do about it.
	Detail string
}

// Sync says whether stored messages are on disk when they are acknowledged.
type Sync string

// What was found out.
const (
	SyncAlways  Sync = "always"
	SyncLater   Sync = "later"
	SyncUnknown Sync = "unknown"
)

// settings is what the server says of its JetStream.
type settings struct {
	Config *struct {
		SyncAlways   bool          `json:"sync_always"`
		SyncInterval time.Duration `json:"sync_interval"`
	} `json:"config"`
}

// Durability tells whether the server stores on disk before it acknowledges.
// Only its monitoring address and its system account can say so; without
// either it is unknown.
func (b *Bus) Durability(ctx context.Context) Durability {
	if b.embedded != nil {
		return Durability{SyncAlways, "the embedded server writes every message to disk before it acknowledges it"}
	}
	s, err := b.settings(ctx)
	switch {
	case err != nil:
		return Durability{SyncUnknown, fmt.Sprintf("cannot find out whether the server syncs before it acknowledges (%v); "+
			"its default is to sync every 2 minutes: set sync_interval: always in its jetstream block", err)}
	case s.Config.SyncAlways:
		return Durability{SyncAlways, "the server writes every message to disk before it acknowledges it"}
	}
	if replicas := b.fewestReplicas(ctx); replicas > 1 {
		return Durability{SyncLater, fmt.Sprintf("the server acknowledges before it syncs (every %s); with %d replicas only the loss of most of them at once "+
			"loses messages: set sync_interval: always in its jetstream block to be safe from that too", s.Config.SyncInterval, replicas)}
	}
	return Durability{SyncLater, fmt.Sprintf("the server acknowledges before it syncs (every %s): a power failure loses what it had acknowledged; "+
		"set sync_interval: always in its jetstream block", s.Config.SyncInterval)}
}

// settings asks the monitoring address where one is configured, else the
// system account, which answers only to its own users.
func (b *Bus) settings(ctx context.Context) (settings, error) {
	var s settings
	var body []byte
	if b.cfg.MonitorURL != "" {
		ctx, cancel := context.WithTimeout(ctx, b.cfg.RequestTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(b.cfg.MonitorURL, "/")+"/jsz?config=true", nil)
		if err != nil {
			return s, fmt.Errorf("monitoring address: %w", err)
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			return s, fmt.Errorf("monitoring address: %w", err)
		}
		defer func() { _ = resp.Body.Close() }() // only read from
		if resp.StatusCode != http.StatusOK {
			return s, fmt.Errorf("monitoring address: %s", resp.Status)
		}
		if body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err != nil {
			return s, fmt.Errorf("monitoring address: %w", err)
		}
	} else {
		const subject = "$SYS.REQ.SERVER.PING.JSZ"
		askCtx, done, err := b.conn.ask(ctx, subject, min(b.cfg.RequestTimeout, 2*time.Second))
		if err != nil {
			return s, err
		}
		defer done()
		m, err := b.conn.nc.RequestMsgWithContext(askCtx, &nats.Msg{Subject: subject, Data: []byte(`{"config":true}`)})
		if err != nil {
			return s, errors.New("no monitoring address is configured, and our user does not belong to the system account")
		}
		var answer struct {
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return s, fmt.Errorf("system account: %w", err)
		}
		body = answer.Data
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("read the server's settings: %w", err)
	}
	if s.Config == nil {
		return s, errors.New("the server does not tell its settings")
	}
	return s, nil
}

// fewestReplicas is the least number of replicas of our streams.
func (b *Bus) fewestReplicas(ctx context.Context) int {
	fewest := 0
	for i := range b.routes {
		info, err := b.info(ctx, b.routes[i].Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return 1
		}
		if n := info.Config.Replicas; fewest == 0 || n < fewest {
			fewest = n
		}
	}
	return fewest
}
