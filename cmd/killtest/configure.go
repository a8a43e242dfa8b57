package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// bridgeName names a bridge, its folder and its files.
func (h *house) bridgeName(i int) string {
	if h.shards == 1 {
		return "bridge"
	}
	return fmt.Sprintf("bridge%d", i)
}

func (h *house) bridgeDir(i int) string { return filepath.Join(h.dir, h.bridgeName(i)) }

// busInside and imInside say what is part of the bridge's process.
func (h *house) busInside() bool { return h.fill == "embedded" || h.fill == "inside" }
func (h *house) imInside() bool  { return h.fill == "inside" }

func (h *house) natsConfig() string {
	return fmt.Sprintf(`listen: "127.0.0.1:%d"
authorization { token: %q }
jetstream { store_dir: %q, sync_interval: always }
`, h.busPort, h.busToken, filepath.Join(h.dir, "nats"))
}

func (h *house) sandboxConfig() string {
	return fmt.Sprintf(`data_dir = %q
app "test" {
  sdkappid = %d
  driver "sandbox" {
    listen      = "127.0.0.1:%d"
    key         = %q
    token       = %q
    delivery    = %q
    rate_limits = false
    history_messages = 0
    history_bytes    = 0
    heartbeat   = "1s"
  }
}
`, filepath.Join(h.dir, "im"), appID, h.imPort, h.key, h.imToken, h.delivery)
}

func (h *house) busConfig() string {
	if h.kafka != nil {
		return fmt.Sprintf(`bus "kafka" {
  brokers    = [%q]
  partitions = %d
}`, h.kafka.Addr(), kafkaPartitions)
	}
	address := fmt.Sprintf(`url = "nats://127.0.0.1:%d"`, h.busPort)
	if h.busInside() {
		address = fmt.Sprintf(`listen = "127.0.0.1:%d"`, h.busPort)
	}
	return fmt.Sprintf(`bus "nats" {
  %s
  token = %q
}`, address, h.busToken)
}

func (h *house) accountConfig() string {
	if h.shards == 1 {
		return fmt.Sprintf("account %q {\n    watch_status = [%q, %q, %q]\n  }", bridgeUser, people[0], people[1], people[2])
	}
	text := ""
	for _, account := range h.accounts() {
		text += fmt.Sprintf("account %q {}\n  ", account)
	}
	return text
}

func (h *house) shardConfig(i int) string {
	if h.shards == 1 {
		return ""
	}
	return fmt.Sprintf("shard {\n  index = %d\n  count = %d\n}", i, h.shards)
}

func (h *house) bridgeConfig(i int) string {
	im := fmt.Sprintf(`url       = "ws://127.0.0.1:%d"`, h.imPort)
	if h.imInside() {
		im = fmt.Sprintf("listen    = \"127.0.0.1:%d\"\n    delivery  = %q\n    rate_limits = false\n    history_messages = 0\n    history_bytes = 0", h.imPort, h.delivery)
	}
	space := ""
	if h.fill != "" {
		space = fmt.Sprintf("high_water = \"%dMiB\"\n  reserve    = \"%dMiB\"\n", volumeHighWater>>20, volumeReserve>>20)
	}
	return fmt.Sprintf(`data_dir = %q
app "test" {
  sdkappid = %d
  driver "sandbox" {
    %s
    key       = %q
    token     = %q
    heartbeat = "1s"
  }
  %s
}
%s
%s
journal {
  # Small and short, so that snapshots and deletions happen while it is killed.
  segment_bytes     = "1MiB"
  retention         = "2s"
  snapshot_interval = "1s"
  snapshot_entries  = 500
  %s
}
egress {
  retry_max = "1s"
  rates {
    account = 0
    group   = 0
  }
}
policy {
  media_hosts   = [%q]
  media_private = true
}
http { listen = "127.0.0.1:%d" }
`, h.bridgeDir(i), appID, im, h.key, h.imToken, h.accountConfig(), h.busConfig(), h.shardConfig(i), space, h.files.address(), h.http[i])
}

// configure writes the configurations and makes the processes.
func (h *house) configure() error {
	files := map[string]string{"sandbox.hcl": h.sandboxConfig()}
	for i := range h.shards {
		files[h.bridgeName(i)+".hcl"] = h.bridgeConfig(i)
	}
	if h.bus == "nats" {
		files["nats.conf"] = h.natsConfig()
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	var err error
	open := func(name string) io.Writer {
		f, e := os.OpenFile(filepath.Join(h.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		err = errors.Join(err, e)
		h.logs = append(h.logs, f)
		return f
	}
	if !h.busInside() && h.kafka == nil {
		h.broker = &process{name: "nats-server", path: h.server, args: []string{"-c", filepath.Join(h.dir, "nats.conf")}, log: open("nats")}
	}
	if h.kafka != nil {
		h.broker = &process{name: "kafka", path: "java", args: h.kafka.Args(), log: open("kafka")}
	}
	if !h.imInside() {
		h.sandbox = &process{name: "sandbox", path: h.binary, args: []string{"sandbox", "-config", filepath.Join(h.dir, "sandbox.hcl")}, log: open("sandbox")}
	}
	for i := range h.shards {
		name := h.bridgeName(i)
		h.bridges = append(h.bridges, &process{name: name, path: h.binary, args: []string{"run", "-config", filepath.Join(h.dir, name+".hcl")}, log: open(name)})
	}
	return err
}
