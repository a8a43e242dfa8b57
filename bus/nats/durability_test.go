package nats

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

func TestDurability(t *testing.T) {
	for name, c := range map[string]struct {
		always, monitor, system bool
		want                    Sync
	}{
		"synced, asked at the monitoring address":     {always: true, monitor: true, want: SyncAlways},
		"not synced, asked at the monitoring address": {monitor: true, want: SyncLater},
		"nobody to ask":                      {always: true, want: SyncUnknown},
		"synced, asked as a system user":     {always: true, system: true, want: SyncAlways},
		"not synced, asked as a system user": {system: true, want: SyncLater},
	} {
		t.Run(name, func(t *testing.T) {
			opts := &server.Options{SyncAlways: c.always}
			if c.monitor {
				opts.HTTPHost, opts.HTTPPort = "127.0.0.1", -1
			}
			if c.system {
				// JetStream does not run in the system account, but what the
				// system account says may be exported to another.
				app, sys := server.NewAccount("APP"), server.NewAccount("SYS")
				opts.Accounts, opts.SystemAccount = []*server.Account{app, sys}, "SYS"
				opts.Users = []*server.User{{Username: "app", Password: "x", Account: app}}
			}
			srv := startServer(t, opts)
			cfg := Config{URL: srv.ClientURL()}
			if c.monitor {
				cfg.MonitorURL = fmt.Sprintf("http://%s", srv.MonitorAddr())
			}
			if c.system {
				cfg.User, cfg.Password = "app", "x"
				app, err := srv.LookupAccount("APP")
				if err != nil {
					t.Fatal(err)
				}
				if err := app.EnableJetStream(nil, nil); err != nil {
					t.Fatal(err)
				}
				const subject = "$SYS.REQ.SERVER.PING.JSZ"
				if err := srv.SystemAccount().AddServiceExport(subject, nil); err != nil {
					t.Fatal(err)
				}
				if err := app.AddServiceImport(srv.SystemAccount(), subject, subject); err != nil {
					t.Fatal(err)
				}
			}
			d := mustOpen(t, cfg).Durability(t.Context())
			if d.Sync != c.want || d.Detail == "" {
				t.Errorf("durability %+v, not %s", d, c.want)
			}
			if d.Sync != SyncAlways && !strings.Contains(d.Detail, "sync_interval: always") {
				t.Errorf("it does not say what to do: %s", d.Detail)
			}
		})
	}
	b := mustOpen(t, Config{URL: startServer(t, &server.Options{}).ClientURL(), MonitorURL: "http://127.0.0.1:1"})
	if d := b.Durability(t.Context()); d.Sync != SyncUnknown || !strings.Contains(d.Detail, "monitoring address") {
		t.Errorf("durability %+v", d)
	}
}
