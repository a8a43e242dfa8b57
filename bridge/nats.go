package bridge

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/nats"
	"github.com/timbridge/timbridge/config"
)

// reviveFree is how much must be free, at most, before an embedded server that
// stopped on a full disk is started again.
const reviveFree = 64 << 20

// natsConfig translates the configuration. serve says whether a bus without an
// address is to run inside this process.
func natsConfig(cfg *config.Config, serve bool) (nats.Config, error) {
	b := cfg.Bus.NATS
	c := nats.Config{
		URL: b.URL, Token: b.Token.Reveal(), User: b.User, Password: b.Password.Reveal(), NKeyFile: b.NKey, CredsFile: b.Creds,
		Events: stream(b.Events), Commands: stream(b.Commands), Outcomes: stream(b.Outcomes), DeadLetters: stream(b.DeadLetters),
		Manage: bus.Manage(b.Manage), Replicas: b.Replicas, DuplicateWindow: b.DuplicateWindow.Std(), MarkBucket: b.MarkBucket,
		Shard:      bus.Shard{Index: cfg.Shard.Index, Count: cfg.Shard.Count},
		Structured: cfg.Bus.Mode == "structured", LooseSubjects: b.LooseSubjects, MaxCommandBytes: int(cfg.Egress.MaxMessageBytes),
		MonitorURL: b.MonitorURL,
	}
	for _, r := range b.Routes {
		c.Routes = append(c.Routes, nats.Route{Types: r.Types, StreamConfig: nats.StreamConfig{Name: r.Name, Subject: r.Subject}})
	}
	if b.TLS != (config.TLS{}) {
		c.TLS = &bus.TLS{CAFile: b.TLS.CA, CertFile: b.TLS.Cert, KeyFile: b.TLS.Key, ServerName: b.TLS.ServerName}
	}
	if b.URL != "" {
		return c, nil
	}
	read := ReadSecret
	if serve {
		read = ReadOrMakeSecret
	}
	token := b.Token.Reveal()
	if token == "" {
		var err error
		if token, err = read(cfg.DataDir, tokenFile); err != nil {
			return c, fmt.Errorf("the bus's token: %w", err)
		}
	}
	host, port, err := net.SplitHostPort(b.Listen)
	if err != nil {
		return c, fmt.Errorf("bus.listen: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return c, fmt.Errorf("bus.listen: %w", err)
	}
	c.Token = token
	if serve {
		// The server says of a folder that it may not use that it is none.
		if err := CheckAccess(filepath.Join(cfg.DataDir, "nats")); err != nil {
			return c, fmt.Errorf("the bus's folder: %w", err)
		}
		c.Embedded = &nats.EmbeddedConfig{
			Dir: filepath.Join(cfg.DataDir, "nats"), Host: host, Port: number, Token: token,
			// On a small volume the journal's mark says how much room is enough.
			ReviveFree: min(reviveFree, max(int64(cfg.Journal.HighWater), 1<<20)),
		}
	} else {
		c.URL = "nats://" + b.Listen
	}
	return c, nil
}

func stream(s config.Stream) nats.StreamConfig {
	return nats.StreamConfig{
		Name: s.Name, Subject: s.Subject, MaxAge: s.MaxAge.Std(), MaxBytes: int64(s.MaxBytes),
		MaxMessages: int64(s.MaxMessages), MaxMessageBytes: int32(s.MaxMessageBytes),
	}
}
