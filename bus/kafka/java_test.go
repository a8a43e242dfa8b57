package kafka

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/kafka/kafkatest"
)

// A program in Java, on Kafka's own client and without any library of
// CloudEvents, reads our events, writes commands that we read, and has its keys
// on the partitions where ours are.
func TestApacheJavaClient(t *testing.T) {
	p := newApache(t, nil)
	if out, err := exec.Command("java", "--list-modules").Output(); err != nil || !bytes.Contains(out, []byte("jdk.compiler@")) {
		t.Skip("the program is given as its source, which takes a JDK: apt install openjdk-17-jdk-headless, brew install openjdk")
	}
	jars, err := kafkatest.Fetch(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	create(t, p.addr(), "keys", false)
	cfg := testConfig(t, p.addr())
	b := mustOpen(t, cfg)
	cfg.Structured = true
	structured := mustOpen(t, cfg)
	reader := commandsOf(t, b)
	msgs := ours(1, 2)
	msgs[0].Event.SetSubject("group/早")
	msgs[0].Event.SetExtension("partitionkey", "group/早")
	for i, to := range []*Bus{b, structured} {
		plan, err := to.Plan(t.Context(), msgs[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		if err := to.Send(t.Context(), plan, msgs[i:i+1], false); err != nil {
			t.Fatal(err)
		}
	}

	keys := []string{"", "a", "group/早", "c2c/a/b", strings.Repeat("long ", 50), "account/~20"}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "java", append([]string{"-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8", "-cp", filepath.Join(jars, "*"),
		"testdata/client/Client.java", p.addr(), "tim.events", "tim.commands", "2"}, keys...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, complaints.Bytes())
	}
	var events [][]string
	written := map[string]int{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		switch f := strings.Split(lines.Text(), "\t"); f[0] {
		case "event":
			events = append(events, f[1:])
		case "written":
			if written[f[1]], err = strconv.Atoi(f[2]); err != nil {
				t.Fatal(err)
			}
		}
	}

	if len(events) != 2 {
		t.Fatalf("it read %q", out)
	}
	slices.SortFunc(events, func(a, b []string) int { return len(b) - len(a) }) // the one with all the headers first
	top, err := b.topic(ctx, "tim.events")
	if err != nil {
		t.Fatal(err)
	}
	if got := events[0]; got[0] != strconv.Itoa(top.partitionOf([]byte("group/早"))) || got[1] != "group/早" || got[2] != `{"n":1}` {
		t.Errorf("the event in binary mode is %q", got)
	}
	for _, want := range []string{"content-type=application/json", "ce_specversion=1.0", "ce_id=m-1", "ce_source=/test", "ce_subject=group/早",
		"ce_type=io.timbridge.message.posted.v1", "ce_partitionkey=group/早", "ce_sequence=00000000000000000001"} {
		if !slices.Contains(events[0], want) {
			t.Errorf("the event in binary mode has no %s: %q", want, events[0])
		}
	}
	if got := events[1]; got[1] != "group/g1" || !strings.Contains(got[2], `"id":"m-2"`) || !slices.Contains(got, "content-type="+bus.StructuredJSON) {
		t.Errorf("the event in structured mode is %q", got)
	}

	commands := map[string]bus.Received{}
	for len(commands) < 2 {
		got, err := reader.Next(ctx, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range got {
			if m.Event == nil {
				t.Fatalf("%s: %v", m.Original, m.Err)
			}
			commands[m.Event.ID()] = m
		}
	}
	for id, want := range map[string]struct{ account, written, subject string }{
		"java-binary": {"机器人", "binary", "group/早"}, "java-structured": {"bot", "structured", ""},
	} {
		m := commands[id]
		if m.Event == nil {
			t.Errorf("%s did not come", id)
			continue
		}
		if extension(m.Event, "timaccount") != want.account || m.Event.Subject() != want.subject || !strings.Contains(string(m.Event.Data()), "早上好") || m.Event.DataContentType() != "application/json" {
			t.Errorf("%s is %s", id, m.Event)
		}
		// Ours of the same account lie beside it.
		if at := targetOf("tim.commands", written[want.written]); m.Target != at || top.partitionOf([]byte("account/"+want.account)) != written[want.written] {
			t.Errorf("%s was read from %s, written to %s", id, m.Target, at)
		}
	}
	for _, key := range keys {
		if got, ok := written[key]; !ok || got != top.partitionOf([]byte(key)) {
			t.Errorf("key %q lies on %d, ours on %d", key, got, top.partitionOf([]byte(key)))
		}
	}
}
