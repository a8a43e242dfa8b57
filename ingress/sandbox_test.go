package ingress

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

// TestWindowSmallerThanWhatIsHeld: the connection carries no report beyond so
// many that are not acknowledged. Held reports are not; reading history gets
// by all the same, and frees them.
func TestWindowSmallerThanWhatIsHeld(t *testing.T) {
	sb, err := sandbox.Open(t.TempDir(), sandbox.Options{
		SDKAppID: testApp.SDKAppID, Key: testKey, Limits: sandbox.Limits{GroupMessages: -1}, Journal: diskOptions(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, sb.Close)
	h, err := sb.Handler(sandbox.HandlerOptions{Wire: wire.HandlerOptions{Token: "t", MaxUnacknowledged: 8}})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, h.Close)
	server := httptest.NewServer(h)
	defer server.Close()
	driver := wire.NewDriver(wire.Options{URL: "ws" + strings.TrimPrefix(server.URL, "http") + "/", Token: "t"})
	ctx := t.Context()

	j, err := journal.Open(t.TempDir(), diskOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, j.Close)
	in := New(Config{MaxHeld: 3}, Deps{Journal: j, App: testApp})
	run, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- in.Run(run) }()
	defer func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}()

	signIn := func() tim.Client {
		c, err := driver.Open(ctx, tim.Config{SDKAppID: testApp.SDKAppID})
		if err == nil {
			err = c.Listen(in.Handler(bridge))
		}
		if err == nil {
			err = c.Login(ctx, bridge, signature(bridge))
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	people := func(user tim.UserID) tim.Client {
		c, err := sb.Open(ctx, tim.Config{SDKAppID: testApp.SDKAppID})
		if err == nil {
			err = c.Login(ctx, user, signature(user))
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := signIn()
	if err := in.CatchUp(ctx, bridge, c, time.Time{}); err != nil {
		t.Fatal(err)
	}
	from := people(alice)
	defer closing(t, from.Close)
	if _, err := from.CreateGroup(ctx, tim.CreateGroupParam{
		GroupID: team, GroupName: "team", GroupType: tim.GroupPrivate, Members: []tim.GroupMemberInfo{{Identifier: bridge}},
	}); err != nil {
		t.Fatal(err)
	}
	closing(t, c.Close)
	if err := in.RecordFact(ctx); err != nil {
		t.Error(err)
	}
	var want []string
	for i := range 150 {
		for _, conv := range []tim.Conversation{tim.C2C(bridge), tim.Group(team)} {
			text := fmt.Sprintf("%s%d", conv.Type, i)
			if _, err := from.Send(ctx, conv, tim.Message{Elems: []tim.Elem{tim.TextElem{Content: text}}}); err != nil {
				t.Fatal(err)
			}
			want = append(want, text)
		}
	}
	c = signIn()
	defer closing(t, c.Close)
	time.Sleep(50 * time.Millisecond) // the window is full by now
	if err := in.CatchUp(ctx, bridge, c, time.Time{}); err != nil {
		t.Fatal(err)
	}
	// What is said from now on comes through the same window.
	if _, err := from.Send(ctx, tim.C2C(bridge), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "c2c150"}}}); err != nil {
		t.Fatal(err)
	}
	want = append(want, "c2c150")
	var entries []journal.Entry
	for range 200 {
		if entries = scan(t, j); slices.Contains(texts(t, entries), "c2c150") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	got := slices.DeleteFunc(texts(t, entries), func(s string) bool { return s == "" })
	for _, of := range []string{"c", "g"} {
		if a, b := only(got, of), only(want, of); !slices.Equal(a, b) {
			t.Errorf("%d of %d: %v", len(a), len(b), a)
		}
	}
	if s := in.Stats(); s.Gaps != 0 || s.Accounts[bridge].Held != 0 {
		t.Errorf("%+v", s)
	}
}

func closing(t *testing.T, close func() error) {
	t.Helper()
	if err := close(); err != nil {
		t.Error(err)
	}
}

func scan(t *testing.T, j *journal.Journal) []journal.Entry {
	t.Helper()
	var entries []journal.Entry
	if err := j.Scan(1, func(e journal.Entry) error {
		e.Body = slices.Clone(e.Body)
		entries = append(entries, e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return entries
}

// texts are the texts of the messages in the journal, "" for one without.
func texts(t *testing.T, entries []journal.Entry) []string {
	t.Helper()
	var out []string
	for _, e := range entries {
		if e.Kind != journal.KindFact {
			continue
		}
		ev, err := mapping.Decode(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type() != mapping.TypeMessagePosted {
			continue
		}
		var data struct {
			Elements []struct{ Text string } `json:"elements"`
		}
		if err := ev.DataAs(&data); err != nil {
			t.Fatal(err)
		}
		text := ""
		if len(data.Elements) > 0 {
			text = data.Elements[0].Text
		}
		out = append(out, text)
	}
	return out
}
