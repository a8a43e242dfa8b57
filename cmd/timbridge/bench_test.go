package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// BenchmarkChatToTail measures how long it takes from a line that bob types in
// "timbridge chat" to the event that "timbridge tail" prints, message after
// message on an idle bridge, all of them the built program:
//
//	go test ./cmd/timbridge -run '^$' -bench ChatToTail -benchtime 1000x
func BenchmarkChatToTail(b *testing.B) {
	dir := b.TempDir()
	address := map[string]string{}
	if err := prepare(dir, "", func(name, value string) { address[name] = value }); err != nil {
		b.Fatal(err)
	}
	program := func(args ...string) *exec.Cmd {
		cmd := exec.Command("timbridge", args...)
		cmd.Dir = dir
		return cmd
	}
	run := func(cmd *exec.Cmd) {
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				b.Error(err)
			}
			if err := cmd.Wait(); err != nil {
				b.Error(err)
			}
		})
	}
	run(program("run"))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if res, err := http.Get("http://" + address["HTTP"] + "/ready"); err == nil {
			if err := res.Body.Close(); err != nil {
				b.Fatal(err)
			}
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(end) {
			b.Fatal("the bridge is not ready")
		}
	}
	tail := program("tail", "--json", "--type", "message.posted", "--from", "start")
	out, err := tail.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	run(tail)
	events := bufio.NewScanner(out)
	chat := program("chat", "--as", "bob", "--to", "bridge")
	in, err := chat.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	run(chat)
	say := func(text string) time.Duration {
		started := time.Now()
		if _, err := fmt.Fprintln(in, text); err != nil {
			b.Fatal(err)
		}
		for events.Scan() {
			var ev struct {
				Data struct {
					Elements []struct{ Text string }
				}
			}
			if err := json.Unmarshal(events.Bytes(), &ev); err != nil {
				b.Fatal(err)
			}
			if len(ev.Data.Elements) == 1 && ev.Data.Elements[0].Text == text {
				return time.Since(started)
			}
		}
		b.Fatal("tail has ended")
		return 0
	}
	say("first") // everybody is there now
	took := make([]time.Duration, 0, b.N)
	n := 0
	for b.Loop() {
		n++
		took = append(took, say(fmt.Sprint("message ", n)))
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[min(int(share*float64(len(took))), len(took)-1)].Microseconds()) / 1000
	}
	b.ReportMetric(0, "ns/op") // the shares say more
	b.ReportMetric(at(0.50), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
}
