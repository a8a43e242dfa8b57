package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/timbridge/timbridge/bus/kafka/kafkatest"
	"github.com/timbridge/timbridge/tim"
)

const appID = 1400000000

// house is the processes of one test, and what they need to find each other.
type house struct {
	settings
	key, imToken, busToken string
	imPort, busPort        int
	http                   []int // of each bridge

	broker, sandbox, sender *process
	bridges                 []*process // the shards
	// kafka is the broker where it is one of Kafka's.
	kafka     *kafkatest.Broker
	logs      []*os.File
	volume    *volume // the bridge's, where it is to be filled
	senderIn  io.WriteCloser
	senderOut *os.File

	files *fileHost // of what commands say is to be fetched
	lost  time.Time // when a shard lost its volume

	mu     sync.Mutex
	deeds  []deed
	unread []string // ids of messages that read receipts are wanted of
	asked  int      // how often the visitor asks to be let in
	read   sync.WaitGroup
}

func secret() (string, error) {
	b := make([]byte, 32)
	_, err := rand.Read(b)
	return hex.EncodeToString(b), err
}

// newHouse builds the binaries where they are not given, and writes the configurations.
func newHouse(ctx context.Context, s settings) (*house, error) {
	h := &house{settings: s}
	for _, v := range []*string{&h.key, &h.imToken, &h.busToken} {
		var err error
		if *v, err = secret(); err != nil {
			return nil, err
		}
	}
	h.http = make([]int, h.shards)
	ports := []*int{&h.imPort, &h.busPort}
	for i := range h.http {
		ports = append(ports, &h.http[i])
	}
	for _, v := range ports {
		var err error
		if *v, err = freePort(); err != nil {
			return nil, err
		}
	}
	if h.binary == "" {
		h.binary = filepath.Join(h.dir, "timbridge")
		if err := build(ctx, "github.com/timbridge/timbridge/cmd/timbridge", h.binary); err != nil {
			return nil, err
		}
	}
	if h.bus == "kafka" {
		if err := h.makeKafka(ctx); err != nil {
			return nil, err
		}
	} else if h.server == "" {
		h.server = filepath.Join(h.dir, "nats-server")
		if err := build(ctx, "github.com/nats-io/nats-server/v2", h.server); err != nil {
			return nil, err
		}
	}
	var err error
	if h.files, err = newFileHost(); err != nil {
		return nil, err
	}
	if h.fill != "" {
		if h.volume, err = newVolume(h.bridgeDir(0)); err != nil {
			return nil, err
		}
	}
	if err := h.configure(); err != nil {
		return nil, errors.Join(err, h.volume.close())
	}
	return h, nil
}

// freePort asks the kernel for one; it may be taken again before it is used,
// which the start of the process then says.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// others are the processes beside the sender, in the order of their start.
func (h *house) others() []*process {
	var list []*process
	for _, p := range append([]*process{h.broker, h.sandbox}, h.bridges...) {
		if p != nil { // else it is inside the bridge
			list = append(list, p)
		}
	}
	return list
}

// process is the one of that name.
func (h *house) process(name string) *process {
	switch name {
	case "sandbox":
		return h.sandbox
	case "bus", "nats", "kafka":
		return h.broker
	}
	return h.bridges[0]
}

// accounts are those that the bridge signs in.
func (h *house) accounts() []tim.UserID {
	if h.shards > 1 {
		return fleetAccounts(h.shards)
	}
	return []tim.UserID{bridgeUser}
}

// startSender starts the people, and takes down what they say they said.
func (h *house) startSender() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	in, inw, err := os.Pipe()
	if err != nil {
		return err
	}
	h.senderIn, h.senderOut = inw, w
	h.sender = &process{name: "sender", path: self, log: os.Stderr, stdin: in, stdout: w, args: []string{
		"sender", "-url", fmt.Sprintf("ws://127.0.0.1:%d", h.imPort), "-token", h.imToken, "-key", h.key,
		"-group", string(talkGroup()), "-rate", fmt.Sprint(h.rate), fmt.Sprintf("-all=%t", h.all()), "-files", filepath.Join(h.dir, "files"),
	}}
	for _, account := range h.accounts() {
		h.sender.args = append(h.sender.args, "-account", string(account))
	}
	if err := h.sender.start(); err != nil {
		return err
	}
	// Only the child holds these ends now.
	err = errors.Join(w.Close(), in.Close())
	h.read.Go(func() {
		defer r.Close()
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var d deed
			if json.Unmarshal(lines.Bytes(), &d) == nil {
				h.mu.Lock()
				h.deeds = append(h.deeds, d)
				if d.Wants && (d.Group == "" || d.Group == talkGroup()) {
					h.unread = append(h.unread, d.ID)
				}
				if d.Fact == petition {
					h.asked++
				}
				h.mu.Unlock()
			}
		}
	})
	return err
}

// unreadOne is a message that a read receipt is wanted of, each once.
func (h *house) unreadOne() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.unread) == 0 {
		return nil
	}
	id := h.unread[0]
	h.unread = h.unread[1:]
	return []string{id}
}

// asks says whether the visitor asks to be let in, once each time.
func (h *house) asks() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asked == 0 {
		return false
	}
	h.asked--
	return true
}

// awaitPeople waits until everybody's groups are there.
func (h *house) awaitPeople(ctx context.Context, limit time.Duration) error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); wait(ctx, 20*time.Millisecond) {
		ready := 0
		h.mu.Lock()
		for _, d := range h.deeds {
			if d.Kind == deedReady {
				ready++
			}
		}
		h.mu.Unlock()
		if ready > len(people) {
			return nil
		}
		if err := h.alive(); err != nil {
			return err
		}
	}
	return fmt.Errorf("people have not made their groups within %s", limit)
}

// stopSender lets everybody finish the message they are at.
func (h *house) stopSender(patience time.Duration) error {
	if h.sender == nil {
		return nil
	}
	err := h.senderIn.Close()
	select {
	case <-h.sender.exited():
	case <-time.After(patience):
		err = errors.Join(err, errors.New("the sender did not end"), h.sender.kill())
	}
	h.read.Wait()
	return errors.Join(err, h.sender.failure())
}

// ready says whether the bridge says that it is, and every one of several.
func (h *house) ready(ctx context.Context) (ok bool, why string) {
	for _, port := range h.http {
		if ok, why = readyAt(ctx, port); !ok {
			return false, why
		}
	}
	return true, why
}

func readyAt(ctx context.Context, port int) (bool, string) {
	c, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(c, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/ready", port), nil)
	if err != nil {
		return false, err.Error()
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return false, err.Error()
	}
	return res.StatusCode == http.StatusOK, string(bytes.TrimSpace(body))
}

func (h *house) awaitReady(ctx context.Context, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	why := ""
	for time.Now().Before(deadline) {
		var ok bool
		if ok, why = h.ready(ctx); ok {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait(ctx, 20*time.Millisecond)
	}
	return fmt.Errorf("the bridge is not ready after %s: %s", limit, why)
}

// close ends everything that still runs.
func (h *house) close() error {
	var errs []error
	if h.sender != nil {
		errs = append(errs, h.sender.kill())
	}
	for _, p := range slices.Backward(h.others()) {
		errs = append(errs, p.stop(time.Minute))
	}
	errs = append(errs, h.files.close())
	for _, f := range h.logs {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
