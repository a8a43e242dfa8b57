package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal/journaltest"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

var modes = []sandbox.Delivery{sandbox.DeliveryAck, sandbox.DeliveryPush}

func delivery(d sandbox.Delivery) func(*sandbox.Options) {
	return func(o *sandbox.Options) { o.Delivery = d }
}

// TestKillUnderLoad copies the directory while clients send, and checks that
// what was answered or told before is in the copy, once, and reaches its receivers.
func TestKillUnderLoad(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			w := open(t, options(delivery(mode), func(o *sandbox.Options) { o.Limits.SnapshotBytes = 64 << 10 }))
			killUnderLoad(t, w, 3, (*world).afterKill)
		})
	}
}

// TestPowerCutUnderLoad does the same on a disk that forgets what was not synced.
func TestPowerCutUnderLoad(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			disk := journaltest.NewFS()
			w := openIn(t, "sandbox", options(delivery(mode), func(o *sandbox.Options) {
				o.Limits.SnapshotBytes = 64 << 10
				o.Journal.SegmentBytes = 32 << 10
				o.Journal.FS = disk
			}))
			states := journaltest.States(1, 3)
			killUnderLoad(t, w, len(states), func(w *world) *world {
				o := w.o
				o.Journal.FS = disk.Crash(states[0])
				states = states[1:]
				if len(states) == 0 {
					states = journaltest.States(2, 3)
				}
				return openIn(t, "sandbox", o)
			})
		})
	}
}

func killUnderLoad(t *testing.T, w *world, times int, left func(*world) *world) {
	owner := w.signIn("owner")
	group := owner.create(tim.CreateGroupParam{GroupType: tim.GroupPublic, Members: members("u0", "u1", "u2", "u3", "reader", "watcher")})
	watcher := w.signIn("watcher")
	var mu sync.Mutex
	answered := map[string]tim.Message{}
	progress := make(chan struct{}, 200) // so that they go on while a copy is made
	ctx, stop := context.WithCancel(context.Background())
	var senders sync.WaitGroup
	defer senders.Wait()
	defer stop()
	for i := range 4 {
		d := w.signIn(tim.UserID(fmt.Sprint("u", i)))
		senders.Go(func() {
			for n := 0; ; n++ {
				conv := tim.Group(group)
				if n%3 == 0 {
					conv = tim.C2C("reader")
				}
				body := fmt.Sprintf("%d/%d", i, n)
				m, err := d.Send(ctx, conv, text(body))
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				answered[body] = m
				mu.Unlock()
				select {
				case progress <- struct{}{}:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	for range times {
		for range 400 {
			<-progress
		}
		mu.Lock()
		want := maps.Clone(answered)
		mu.Unlock()
		for _, r := range watcher.reports() {
			if s := textOf(r); s != "" {
				want[s] = messageOf(r)
			}
		}
		checkCopy(t, left(w), group, want)
	}
	stop()
	senders.Wait()
	if err := w.Snapshot(context.Background()); err != nil {
		t.Error(err)
	}
	checkCopy(t, left(w), group, answered)
}

func checkCopy(t *testing.T, w *world, group tim.GroupID, want map[string]tim.Message) {
	t.Helper()
	defer w.Close()
	reader := w.signIn("reader")
	told := map[string]int{}
	for _, conv := range []tim.Conversation{tim.Group(group), tim.C2C("u0"), tim.C2C("u1"), tim.C2C("u2"), tim.C2C("u3")} {
		all := reader.history(conv)
		for i, m := range all {
			if m.Seq != uint64(len(all)-i) {
				t.Fatalf("%v: seq %d at place %d of %d", conv, m.Seq, i, len(all))
			}
			if s := textIn(m); s != "" {
				told[s]++
				if sent, ok := want[s]; ok && (sent.Seq != m.Seq || sent.MsgID != m.MsgID) {
					t.Errorf("%q was seq %d, is %d", s, sent.Seq, m.Seq)
				}
			}
		}
	}
	for s := range want {
		if told[s] != 1 {
			t.Errorf("%q was answered and is in history %d times", s, told[s])
		}
	}
	// The reader was never signed in: it is told everything there is, in order.
	owner := w.signIn("owner")
	owner.say(tim.C2C("reader"), "end")
	reader.message("end")
	var seqs []uint64
	for _, r := range reader.reports() {
		if m := messageOf(r); m.ConvType == tim.ConvGroup {
			seqs = append(seqs, m.Seq)
		}
		if s := textOf(r); s != "" {
			told[s]--
		}
	}
	for i, seq := range seqs {
		if seq != uint64(i)+1 {
			t.Fatalf("the reader is told seq %d as number %d", seq, i+1)
		}
	}
	delete(told, "end")
	for s, n := range told {
		if n != 0 {
			t.Errorf("%q is in history and was not told to the reader, or twice (%d)", s, -n)
		}
	}
}

func TestStateSurvives(t *testing.T) {
	for name, again := range map[string]func(*world) *world{
		"close":                   func(w *world) *world { w.reopen(); return w },
		"kill":                    (*world).afterKill,
		"snapshot and close":      func(w *world) *world { snapshot(w); w.reopen(); return w },
		"snapshot, more and kill": func(w *world) *world { snapshot(w); w.signIn("late").say(tim.C2C("x"), "x"); return w.afterKill() },
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			w := open(t, options(c.option))
			alice, bob := w.signIn("alice"), w.signIn("bob")
			public := alice.create(tim.CreateGroupParam{GroupType: tim.GroupPublic, GroupName: "öffentlich", Members: members("bob", "carol")})
			private := alice.create(tim.CreateGroupParam{GroupType: tim.GroupPrivate, Members: members("bob")})
			alice.say(tim.Group(public), "in public")
			resend := text("again")
			resend.Rand = 4711
			first := alice.post(tim.Group(public), resend)
			gone := alice.say(tim.C2C("bob"), "gone")
			if err := alice.Revoke(ctx(t), tim.C2C("bob"), gone.Locator()); err != nil {
				t.Fatal(err)
			}
			if _, err := alice.DeleteMembers(ctx(t), tim.GroupDeleteMemberParam{GroupID: public, Identifiers: []tim.UserID{"carol"}}); err != nil {
				t.Fatal(err)
			}
			waitFor[tim.MessagesRevoked](bob)
			bob.tip(tim.GroupTipKick)

			w = again(w)
			alice, bob = w.signIn("alice"), w.signIn("bob")
			c.move(10 * time.Second)
			if second := alice.post(tim.Group(public), resend); second.Seq != first.Seq || second.MsgID != first.MsgID || second.ServerTime != first.ServerTime {
				t.Errorf("sent again it is %+v, was %+v", second, first)
			}
			next := alice.say(tim.Group(public), "next")
			if next.Seq != first.Seq+2 { // after the tip of carol's leaving
				t.Errorf("the next seq is %d after %d", next.Seq, first.Seq)
			}
			all := bob.history(tim.C2C("alice"))
			if len(all) != 1 || all[0].Status != tim.MsgRevoked || all[0].RevokerUserID != "alice" {
				t.Errorf("history is %+v", all)
			}
			wantCode(t, "revoke again", alice.Revoke(ctx(t), tim.C2C("bob"), gone.Locator()), tim.CodeSvrMsgAlreadyRevoked)
			_, err := w.signIn("carol").Send(ctx(t), tim.Group(public), text("x"))
			wantCode(t, "carol sends", err, tim.CodeSvrGroupPermissionDeny)
			_, err = bob.Send(ctx(t), tim.Group(private), text("x"))
			wantCode(t, "bob sends into what is not active", err, tim.CodeSvrGroupPermissionDeny)
			alice.say(tim.Group(private), "now it is")
			bob.message("now it is")
			bob.say(tim.Group(private), "yes")
			alice.message("yes")
			list, err := bob.Client.(tim.History).Conversations(ctx(t))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, l := range list {
				names = append(names, l.Conversation().String()+" "+textIn(*l.LastMsg))
			}
			slices.Sort(names)
			want := []string{"c2c/alice gone", "group/" + string(private) + " yes", "group/" + string(public) + " next"}
			slices.Sort(want)
			if !slices.Equal(names, want) {
				t.Errorf("bob's conversations are %q, want %q", names, want)
			}
		})
	}
}

func snapshot(w *world) {
	if err := w.Snapshot(context.Background()); err != nil {
		w.t.Errorf("snapshot: %v", err)
	}
}

// TestDiskStaysBounded writes many times what is to be kept.
func TestDiskStaysBounded(t *testing.T) {
	w := open(t, options(push, func(o *sandbox.Options) {
		o.Limits.SnapshotBytes = 128 << 10
		o.Limits.HistoryBytes = 64 << 10
		o.Journal.SegmentBytes = 64 << 10
	}))
	alice, bob := w.signIn("alice"), w.signIn("bob")
	long := string(make([]byte, 1000))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				if _, err := alice.Send(ctx(t), tim.C2C("bob"), text("x"+long)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	alice.say(tim.C2C("bob"), "end")
	bob.message("end")
	end := time.Now().Add(patience)
	for w.Stats().Bytes > 1<<20 && time.Now().Before(end) {
		time.Sleep(10 * time.Millisecond)
	}
	if s := w.Stats(); s.Bytes > 1<<20 || s.Messages > 500 {
		t.Errorf("%+v after 10 MiB of messages", s)
	}
	w.reopen()
	if got := w.signIn("bob").history(tim.C2C("alice")); len(got) == 0 || textIn(got[0]) != "end" {
		t.Errorf("history has %d messages", len(got))
	}
}
