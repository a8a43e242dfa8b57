package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		defer null.Close()
		os.Stderr = null // where the flags' usage goes
	}
	for args, want := range map[string]string{
		"":                             "bridge killed 10 times",
		"-kills 3 -victim bridge,nats": "bridge or nats killed 3 times",
		"-steps planned,sent -each 2":  "bridge killed 2 times at each of planned, sent",
		"-outage im -how kill -for 5s": "im away for 5s (kill)",
		"-mix text -kills 1":           "bridge killed 1 times",
		"-mix soup":                    `error: -mix is "soup"; it can be all or text`,
		"-shards 3 -kills 2":           "one of 3 shards: bridge killed 2 times",
		"-shards 3 -lose-volume":       "one of 3 shards: bridge killed 10 times, then one loses its volume",
		"-lose-volume":                 "error: -lose-volume goes with -shards",
		"-shards 0":                    "error: -shards is 0; one is the least",
		"-shards 3 -outage bus":        "error: -shards goes with kills at random moments",
		"-shards 3 -delivery push":     "error: -shards goes with -delivery ack",
		"-fill embedded":               "volume full for 15s, NATS embedded on it",
		"-victim dog":                  `error: -victim is "dog"; it can be bridge or sandbox or bus or nats`,
		"-bus kafka -victim kafka":     "kafka killed 10 times",
		"-bus kafka -victim nats":      `error: -victim is "nats"; it can be bridge or sandbox or bus or kafka`,
		"-bus kafka -fill embedded":    `error: -fill is "embedded"; a Kafka is never part of the bridge`,
		"-outage internet":             `error: -outage is "internet"; it can be bus or im`,
		"-fill apart -outage bus":      "error: -outage and -fill are two tests",
		"-delivery carrier-pigeon":     `error: -delivery is "carrier-pigeon"; it can be ack or push`,
	} {
		s, err := parse(strings.Fields(args))
		got := s.trouble()
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%q means %q, not %q", args, got, want)
		}
	}
	if s, err := parse([]string{"-steps", "all"}); err != nil || len(s.steps) != 11 {
		t.Errorf("%d steps, %v", len(s.steps), err)
	}
	if s, err := parse([]string{"-outage", "bus"}); err != nil || s.lasts != time.Minute {
		t.Errorf("an outage lasts %s, %v", s.lasts, err)
	}
}
