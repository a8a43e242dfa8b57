package egress

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// life is one process: it ends by being cut off, at once and everywhere, at a
// named step. What it had written is what the next life finds.
type life struct {
	*rig
	t     testing.TB
	step  string // where it ends, "" nowhere
	count int    // at which time it comes there

	mu       sync.Mutex
	seen     int
	over     bool
	image    string           // the journal's directory, as it was at the end
	snapshot *journal.Section // saved a moment before
	ended    chan struct{}    // closed when it is over
	freed    chan struct{}    // closed when its goroutines may go on into nowhere
}

func newLife(r *rig, dir, step string, count int) *life {
	next := &rig{segment: r.segment, t: r.t, dir: dir, cfg: r.cfg, accounts: r.accounts, im: r.im, mapper: r.mapper, fetch: r.fetch}
	l := &life{rig: next, t: r.t, step: step, count: count, ended: make(chan struct{}), freed: make(chan struct{})}
	next.bus = r.bus
	next.cfg.MediaDir = filepath.Join(r.t.TempDir(), "media") // what is cut off here would yet write there
	next.steps = l.at
	return l
}

// at is called at every step.
func (l *life) at(step string) {
	l.mu.Lock()
	if !l.over && step == l.step {
		if l.seen++; l.seen == l.count {
			l.over = true
			position, body, err := l.egress.Save()
			if err != nil {
				l.t.Error(err)
			}
			l.snapshot = &journal.Section{Position: position, Body: body}
			l.image = copyDir(l.t, l.dir)
			close(l.ended)
		}
	}
	over := l.over
	l.mu.Unlock()
	if over {
		<-l.freed
	}
}

func (l *life) dead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// mortal is a process's way to the service: cut when the process is over.
// chooses says that its driver chooses the randoms.
func mortal(s *service, l *life, chooses bool) tim.Client {
	c := plain{s: s, account: "bot", ownRandoms: chooses, dead: l.dead}
	if chooses {
		return struct {
			plain
			history
			abilities
		}{c, history{c}, abilities{c}}
	}
	return able{c, resender{s}, history{c}, abilities{c}}
}

// deadBus keeps a dead process from setting the mark.
type deadBus struct {
	*memBus
	l *life
}

func (b deadBus) SetMark(ctx context.Context, mark []bus.Position) error {
	if b.l.dead() {
		return nil
	}
	return b.memBus.SetMark(ctx, mark)
}

func copyDir(t testing.TB, from string) string {
	to := t.TempDir()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.Create(filepath.Join(to, rel))
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
		return out.Close()
	})
	if err != nil {
		t.Error(err)
	}
	return to
}

// crashes runs commands through processes that end where plan says, and then
// one that lives; it checks that each had one outcome and at most one effect.
func crashes(t *testing.T, seed uint64, randoms bool) {
	rng := rand.New(rand.NewPCG(seed, 1))
	r, _ := withFiles(t, Config{}, &host{})
	furnish(r.im)
	if rng.IntN(2) == 0 {
		r.im.window = time.Second // nothing is settled by repeating
	}
	r.im.script = func(c call) answer {
		var a answer
		switch rng := rand.New(rand.NewPCG(seed, uint64(len(c.text)*7+c.n))); rng.IntN(8) {
		case 0:
			a = answer{err: unknown(), perform: true}
		case 1:
			a = answer{err: unknown()}
		case 2:
			a = answer{err: busy()}
		case 3:
			a.delay = time.Duration(rng.IntN(100)) * time.Millisecond
		}
		if c.op == "history" || c.op == "requests" || c.op == "joined" || c.n > 8 {
			a = answer{}
		}
		if strings.HasSuffix(c.text, "forbidden") {
			a = answer{err: refused()}
		}
		return a
	}
	var texts []string
	send := func(id, user, text string) {
		text = fmt.Sprintf("%s %s", strings.Repeat("x", len(texts)), text)
		texts = append(texts, text)
		r.bus.publish(t, sendTo(id, user, text))
	}
	publish := func(life int) {
		for i := range 6 {
			send(fmt.Sprintf("%d-%d", life, i), []string{"bob", "carol"}[i%2], "hello")
		}
		send(fmt.Sprintf("%d-no", life), "bob", "forbidden")
		r.bus.publish(t, command{id: fmt.Sprintf("%d-group", life), kind: "group.create", data: map[string]any{"group_type": "public", "name": "team"}})
		r.bus.publish(t, sendFile(fmt.Sprintf("%d-file", life), "dave", "a.txt", aFile, ""))
		for name, c := range changes(life) {
			c.id = fmt.Sprintf("%d-%s", life, name)
			r.bus.publish(t, c)
		}
		r.bus.publish(t, command{id: fmt.Sprintf("%d-bad", life), kind: "message.sing", data: map[string]any{}})
		r.bus.publish(t, sendTo(fmt.Sprintf("%d-0", life), "bob", "id reused"))
	}
	dir := t.TempDir()
	var over []*life
	steps := []string{"accepted", "started", "call_returned", "outcome"}
	lives := 1 + rng.IntN(4)
	var last *life
	for n := range lives + 1 {
		l := newLife(r, dir, steps[rng.IntN(len(steps))], 1+rng.IntN(10))
		if n == lives {
			l.step = ""
		}
		r.accounts.set("bot", StateConnected, mortal(r.im, l, !randoms))
		publish(n)
		if len(over) > 0 && rng.IntN(2) == 0 {
			l.saved = over[len(over)-1].snapshot
		}
		l.openOn(deadBus{r.bus, l})
		l.run()
		over = append(over, l)
		last = l
		if n == lives {
			break
		}
		select {
		case <-l.ended:
			dir = l.image
		case <-time.After(time.Hour): // it never came there; it ends well
			l.stop()
			over = over[:len(over)-1]
		}
	}
	time.Sleep(2 * time.Hour)
	synctest.Wait()

	got := last.outcomes()
	sent := r.im.sent()
	for n := range lives + 1 {
		ids := []string{"group", "no", "file"}
		for name := range changes(n) {
			ids = append(ids, name)
		}
		for i := range 6 {
			ids = append(ids, fmt.Sprint(i))
		}
		for _, id := range ids {
			id = fmt.Sprintf("%d-%s", n, id)
			o, ok := got[id]
			switch {
			case !ok:
				t.Errorf("%s has no outcome", id)
			case o.Type == mapping.TypeSucceeded == strings.HasSuffix(id, "-no"):
				t.Errorf("%s: %s %+v", id, o.Type, o.Error)
			}
		}
		rejected := 0
		for id := range got {
			if strings.HasPrefix(id, fmt.Sprintf("%d-bad@", n)) || strings.HasPrefix(id, fmt.Sprintf("%d-0@", n)) {
				rejected++
			}
		}
		if rejected != 2 {
			t.Errorf("life %d: %d rejected, want 2", n, rejected)
		}
	}
	for _, text := range texts {
		n := len(slices.DeleteFunc(slices.Clone(sent), func(s string) bool { return s != text }))
		want := 1
		if strings.HasSuffix(text, "forbidden") {
			want = 0
		}
		if n != want {
			t.Errorf("message %d was posted %d times, want %d", slices.Index(texts, text), n, want)
		}
	}
	if files := len(slices.DeleteFunc(slices.Clone(sent), func(s string) bool { return s != "see a.txt" })); files != lives+1 {
		t.Errorf("%d files were posted, want %d", files, lives+1)
	}
	if m := r.im.messages[0]; m.Version != uint64(lives+1) || m.Elems[0].(tim.TextElem).Content != fmt.Sprintf("version %d", lives) {
		t.Errorf("message 1 was modified %d times and says %q, want %d", m.Version, m.Elems[0].(tim.TextElem).Content, lives+1)
	}
	club := r.im.rooms["club"]
	if want := fmt.Sprintf("club %d", lives); club.info.GroupName != want || club.members["carol"].NameCard != want || r.im.users.profile.NickName != want || r.im.users.status != want {
		t.Errorf("the last change did not come last: %+v, %+v, %+v", club.info, club.members["carol"], r.im.users)
	}
	if _, in := r.im.rooms["open"].members["bot"]; !in || r.im.users.read[tim.C2C("erin")] == 0 {
		t.Error("a member, or how far it was read, is missing")
	}
	last.noFilesLeft()
	for _, user := range []int{0, 1} { // in each conversation, in the order of the commands
		var order []int
		for _, s := range sent {
			if i := slices.Index(texts, s); i%7%2 == user {
				order = append(order, i)
			}
		}
		if !slices.IsSorted(order) {
			t.Errorf("out of order: %v", order)
		}
	}
	if open := last.egress.Stats().Open; open != 0 {
		t.Errorf("%d are unfinished", open)
	}
	last.checkReplay()

	last.stop()
	for _, l := range over[:len(over)-1] {
		l.cancel()
		close(l.freed)
		<-l.done
		if err := l.journal.Close(); err != nil {
			t.Error(err)
		}
	}
}

// changes are the commands of a life that change something which stays.
func changes(life int) map[string]command {
	name := fmt.Sprintf("club %d", life)
	return map[string]command{
		"modify": {kind: "message.modify", data: map[string]any{
			"conversation": map[string]any{"type": "c2c", "user_id": "bob"}, "sequence": 1, "random": 1, "server_time": saidAt,
			"elements": []any{map[string]any{"type": "text", "text": fmt.Sprintf("version %d", life)}},
		}},
		"read":    {kind: "message.mark_read", data: map[string]any{"conversation": map[string]any{"type": "c2c", "user_id": "erin"}}},
		"name":    {kind: "group.modify", data: map[string]any{"group_id": "club", "name": name}},
		"member":  {kind: "group.modify_member", data: map[string]any{"group_id": "club", "user_id": "carol", "name_card": name}},
		"join":    {kind: "group.join", data: map[string]any{"group_id": "open"}},
		"quit":    {kind: "group.quit", data: map[string]any{"group_id": "team"}},
		"handle":  {kind: "group.handle_request", data: map[string]any{"group_id": "club", "user_id": "dave", "accept": true}},
		"profile": {kind: "profile.modify", data: map[string]any{"nick_name": name}},
		"status":  {kind: "status.set", data: map[string]any{"custom": name}},
	}
}

// checkReplay compares what the egress knows with what its journal says.
func (r *rig) checkReplay() {
	r.t.Helper()
	again := New(r.cfg, r.egress.deps)
	if err := r.journal.Scan(0, again.Apply); err != nil {
		r.t.Fatal(err)
	}
	_, live, err := r.egress.Save()
	if err != nil {
		r.t.Fatal(err)
	}
	_, replayed, err := again.Save()
	if err != nil {
		r.t.Fatal(err)
	}
	if string(live) != string(replayed) {
		r.t.Errorf("the journal says something else than egress knows:\n%v\n%v", describe(again.state), describe(r.egress.state))
	}
}

func TestCrashAtEveryStep(t *testing.T) {
	for _, randoms := range []bool{true, false} {
		t.Run(fmt.Sprintf("randoms %v", randoms), func(t *testing.T) {
			n := uint64(15)
			if testing.Short() {
				n = 5
			}
			for seed := range n {
				ok := t.Run(fmt.Sprint(seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { crashes(t, seed, randoms) })
				})
				if !ok {
					return
				}
			}
		})
	}
}
