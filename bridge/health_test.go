package bridge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

// TestPages asks /live, /ready and /metrics while the bridge works and while it
// does not.
func TestPages(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	r := launch(t, cfg)
	r.awaitReady()
	var h Health
	status, body := r.get("/ready")
	if err := json.Unmarshal([]byte(body), &h); err != nil || status != http.StatusOK || !h.Ready || len(h.Reasons) > 0 {
		t.Errorf("/ready is %d %s (%v)", status, body, err)
	}
	if status, body := r.get("/live"); status != http.StatusOK || body != "live\n" {
		t.Errorf("/live is %d %q", status, body)
	}
	if _, body := r.get("/metrics"); !strings.Contains(body, "timbridge_ready 1\n") {
		t.Errorf("/metrics does not say that it is ready:\n%s", body)
	}
	if status, _ := r.get("/"); status != http.StatusNotFound {
		t.Errorf("/ is %d", status)
	}

	s.stop()
	r.awaitNotReady("account bridge is disconnected")
	h = Health{}
	status, body = r.get("/ready")
	if err := json.Unmarshal([]byte(body), &h); err != nil || status != http.StatusServiceUnavailable || h.Ready || len(h.Reasons) == 0 {
		t.Errorf("/ready is %d %s (%v)", status, body, err)
	}
	if len(h.Accounts) != 1 || h.Accounts[0].State != AccountDisconnected {
		t.Errorf("/ready tells of accounts %+v", h.Accounts)
	}
	if status, _ := r.get("/live"); status != http.StatusOK {
		t.Errorf("/live is %d: a restart would not help", status)
	}
	if _, body := r.get("/metrics"); !strings.Contains(body, "timbridge_ready 0\n") ||
		!strings.Contains(body, `timbridge_account_state{account="bridge",state="disconnected"} 1`) {
		t.Errorf("/metrics does not say that it is not ready:\n%s", body)
	}
}

// TestBusAway: without a bus chat is journaled all the same, and the bridge
// says why it is not ready.
func TestBusAway(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	cfg.Bus.NATS.URL = "nats://" + cfg.Bus.NATS.Listen // nobody is there yet
	token := "a token for the bus, as long as it takes"
	cfg.Bus.NATS.Token = config.NewSecret(token)
	r := launch(t, cfg)
	r.awaitState(AccountConnected)
	before := r.journal.Last()
	say(t, s.person("alice", tim.PlatformOther), "nobody hears it yet")
	eventually(t, "journaled", func() (bool, string) { return r.journal.Last() > before, "" })
	r.awaitNotReady("the bus cannot be used")

	// Another bridge's embedded server is what comes up there.
	other := newConfig(t)
	other.Bus.NATS.Listen, other.Bus.NATS.Token = cfg.Bus.NATS.Listen, cfg.Bus.NATS.Token
	launch(t, other).awaitReady()
	r.awaitReady()
	awaitTexts(t, desk(t, cfg), "nobody hears it yet")
}

// TestDraining: the last thing that is told is that the bridge ends.
func TestDraining(t *testing.T) {
	r := launch(t, newConfig(t))
	r.awaitReady()
	r.stop()
	if h := r.Health(); h.Ready || !slices.Contains(h.Reasons, "the bridge is ending") {
		t.Errorf("an ended bridge says %+v", h)
	}
}

// TestSilentService: a connection that is up is no proof that the service is
// there.
func TestSilentService(t *testing.T) {
	cfg := newConfig(t)
	newService(t, cfg)
	r := launch(t, cfg)
	r.awaitReady()
	a := r.accounts.list[0]
	heard, ok := a.heard()
	if !ok || time.Since(heard) > patience {
		t.Fatalf("heard %v, %t", heard, ok)
	}
	r.cfg.HTTP.ReadyWithin = 0 // any proof is too old
	r.awaitNotReady("the IM service has shown nothing of itself")
	r.awaitNotReady("the bus has shown nothing of itself")
}

// TestFullJournal: at its bound the journal takes nothing, and that is told.
func TestFullJournal(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	cfg.Journal.SegmentBytes, cfg.Journal.MaxBytes = 1<<20, 3<<20
	r := launch(t, cfg)
	r.awaitReady()
	alice := s.person("alice", tim.PlatformOther)
	long := strings.Repeat("word ", 1500)
	var want []string
	for range 1000 {
		say(t, alice, long)
		want = append(want, long)
		if r.journal.Stats().Full {
			break
		}
	}
	r.awaitNotReady("the journal's volume is full")
	if err := r.journal.Err(); err != nil {
		t.Fatal(err)
	}
	r.stop()
	cfg.Journal.MaxBytes = 0
	r = launch(t, cfg)
	r.awaitReady()
	awaitTexts(t, desk(t, cfg), want...)
}

// TestFailedJournal: the process ends, and says why, when nothing can be made
// durable any more.
func TestFailedJournal(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	b, err := openBridge(t, cfg)
	must(t, err)
	must(t, b.journal.Close())
	// The journal over a disk that fails is opened in the place of the one that
	// Open opened.
	disk := &failingDisk{}
	b.journal, err = journal.Open(JournalDir(cfg), journal.Options{FS: disk, HighWater: 1 << 20, Reserve: 1 << 20})
	must(t, err)
	driver, key, err := openSandboxDriver(cfg, cfg.App.Driver.URL, b.log)
	must(t, err)
	b.build(driver, key)
	must(t, b.keeper.restore())
	r := run(t, b)
	r.awaitReady()
	disk.broken.Store(true)
	say(t, s.person("alice", tim.PlatformOther), "lost")
	select {
	case err := <-r.done:
		if err == nil || !strings.Contains(err.Error(), "no longer spins") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	r.cancel = nil
	if status := r.Health(); status.Ready {
		t.Error("it says that it is ready")
	}
}

var (
	helpLine = regexp.MustCompile(`(?m)^# HELP (timbridge_\S+) (.*)\n# TYPE \S+ (\S+)$`)
	labels   = regexp.MustCompile(`(?m)^(timbridge_[a-z_]+)\{([^}]*)\}`)
	label    = regexp.MustCompile(`([a-z]+)="`)
)

// TestMetricNames keeps the names, kinds and labels of the metrics, on which
// dashboards and alerts are built.
func TestMetricNames(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	r := launch(t, cfg)
	r.awaitReady()
	d := desk(t, cfg)
	// Something of everything that has labels.
	say(t, s.person("alice", tim.PlatformOther), "hi")
	publish(t, d, "good", "alice", "hi")
	publish(t, d, "bad", "", "hi")
	eventually(t, "the commands", func() (bool, string) {
		e := r.egress.Stats()
		return e.Succeeded == 1 && len(e.Rejected) == 1, fmt.Sprintf("%+v", e)
	})
	_, body := r.get("/metrics")
	var lines []string
	seen := map[string]string{}
	for _, m := range labels.FindAllStringSubmatch(body, -1) {
		var names []string
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			names = append(names, l[1])
		}
		seen[m[1]] = "{" + strings.Join(names, ",") + "}"
	}
	for _, m := range helpLine.FindAllStringSubmatch(body, -1) {
		lines = append(lines, m[1]+seen[m[1]]+" "+m[3]+"\n\t"+m[2])
	}
	described := strings.Join(lines, "\n") + "\n"
	// A figure with labels shows only once there is something to count.
	for _, f := range figures {
		if !strings.Contains(described, "timbridge_"+f.name+" ") && !strings.Contains(described, "timbridge_"+f.name+"{") {
			described += "timbridge_" + f.name + "{" + strings.Join(f.labels, ",") + "} not seen\n\t" + f.help + "\n"
		}
	}
	golden(t, "metrics.txt", described)
}
