package bridge

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/timbridge/timbridge/tim"
)

// publishedThrough is a relay that stands where a test puts it.
type publishedThrough uint64

func (p *publishedThrough) Published() uint64      { return uint64(*p) }
func (p *publishedThrough) Moved() <-chan struct{} { return nil }

func observed(t *testing.T, h prometheus.Histogram) (count uint64, sum float64) {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(h)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	m := families[0].GetMetric()[0].GetHistogram()
	return m.GetSampleCount(), m.GetSampleSum()
}

func TestPassage(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	p := &passage{took: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x", Buckets: ways})}
	stands := publishedThrough(10)

	p.begin(&stands, 12, ago(4*time.Second))
	p.begin(&stands, 11, ago(2*time.Second)) // came at once with it
	p.begin(&stands, 20, ago(time.Second))
	if n, _ := observed(t, p.took); n != 0 {
		t.Errorf("%d are measured before anything is stored", n)
	}
	p.stored(15, now)
	if n, sum := observed(t, p.took); n != 2 || sum != 6 {
		t.Errorf("%d are measured, %v s in all", n, sum)
	}
	stands = 30
	p.begin(&stands, 25, now.Add(time.Hour)) // stored already; and the clock was set back
	if n, sum := observed(t, p.took); n != 4 || sum < 7 || sum > 600 {
		t.Errorf("%d are measured, %v s in all", n, sum)
	}
	// An outage does not fill the memory.
	for n := range uint64(maxOnTheWay + 100) {
		p.begin(&stands, 31+n, now)
	}
	if n := len(p.way); n != maxOnTheWay {
		t.Errorf("%d are remembered", n)
	}
	p.stored(1<<40, now)
	if n, _ := observed(t, p.took); n != 4+maxOnTheWay || len(p.way) != 0 {
		t.Errorf("%d are measured, %d are left", n, len(p.way))
	}
}

var countLine = regexp.MustCompile(`(?m)^(timbridge_\w+) (\S+)$`)

// figuresOf are the metrics without labels that a bridge serves now.
func (r *running) figuresOf() map[string]float64 {
	r.t.Helper()
	_, body := r.get("/metrics")
	out := map[string]float64{}
	for _, m := range countLine.FindAllStringSubmatch(body, -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			r.t.Fatal(err)
		}
		out[m[1]] = v
	}
	return out
}

// TestLatencies: reports and commands are measured on either bus, each once,
// and how many commands are unread is known.
func TestLatencies(t *testing.T) {
	for name, start := range outside {
		t.Run(name, func(t *testing.T) {
			cfg, _ := start(t)
			s := newService(t, cfg)
			b, err := openBridge(t, cfg)
			if err != nil {
				t.Fatal(err)
			}
			b.backlog.every = 20 * time.Millisecond
			r := run(t, b)
			r.awaitReady()
			d := desk(t, cfg)
			say(t, s.person("alice", tim.PlatformOther), "hi")
			publish(t, d, "one", "alice", "one")
			publish(t, d, "two", "alice", "two")
			awaitTexts(t, d, "hi", "one", "two")
			eventually(t, "the latencies", func() (bool, string) {
				f := r.figuresOf()
				ok := f["timbridge_report_seconds_count"] >= 1 && f["timbridge_command_seconds_count"] == 2 &&
					f["timbridge_call_seconds_count"] >= 2 && f["timbridge_publish_send_seconds_count"] >= 1 && f["timbridge_commands_unread"] == 0
				return ok, fmtFigures(f)
			})
			for _, h := range []string{"report", "command", "call", "publish_send"} {
				if sum := r.figuresOf()["timbridge_"+h+"_seconds_sum"]; sum <= 0 || sum > patience.Seconds() {
					t.Errorf("%s took %v s", h, sum)
				}
			}
			// What nobody reads is unread; and without a bus nobody knows.
			reading := b.egress.Reading()
			r.stop()
			publish(t, d, "three", "alice", "three")
			publish(t, d, "four", "alice", "four")
			if n, err := d.Unread(t.Context(), reading); n != 2 || err != nil {
				t.Errorf("%d are unread, not 2: %v", n, err)
			}
		})
	}
}

func fmtFigures(f map[string]float64) string {
	out := ""
	for _, n := range []string{"report_seconds_count", "command_seconds_count", "call_seconds_count", "publish_send_seconds_count", "commands_unread"} {
		out += n + " " + strconv.FormatFloat(f["timbridge_"+n], 'g', -1, 64) + ", "
	}
	return out
}
