package wire

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// manyHistory lists as many conversations as it is.
type manyHistory int

func (m manyHistory) Conversations(context.Context) ([]tim.ConvInfo, error) {
	list := make([]tim.ConvInfo, m)
	for i := range list {
		list[i] = tim.ConvInfo{ConvType: tim.ConvC2C, ConvID: fmt.Sprint("user", i)}
		if i%16 == 0 {
			last := textMessage(fmt.Sprint("the last one of ", i))
			list[i].IsHasLastMsg, list[i].LastMsg = true, &last
		}
	}
	return list, nil
}

func (manyHistory) Messages(context.Context, tim.Conversation, tim.HistoryQuery) ([]tim.Message, error) {
	return nil, nil
}

// openMany is a client signed in at a service that lists so many conversations.
func openMany(t *testing.T, n int, set func(*Options)) (*rig, tim.Client) {
	t.Helper()
	r := newRig(t, HandlerOptions{})
	r.far.dress = func(c *farClient) tim.Client {
		return struct {
			*farClient
			manyHistory
		}{c, manyHistory(n)}
	}
	c := r.open(set)
	_ = c.Listen(func(report tim.Report) { report.Ack() })
	if err := c.Login(within(t, 10*time.Second), "alice", ""); err != nil {
		t.Fatal(err)
	}
	return r, c
}

// TestManyConversations: the list of a hundred thousand conversations comes in
// messages that are no longer than any others, which the client insists on.
func TestManyConversations(t *testing.T) {
	const n = 100_000
	_, c := openMany(t, n, func(o *Options) { o.MaxMessageBytes = 64 << 10 })
	list, err := c.(tim.History).Conversations(within(t, 2*time.Minute))
	if err != nil || len(list) != n {
		t.Fatalf("%d conversations, %v", len(list), err)
	}
	for i, conv := range list {
		if conv.ConvID != fmt.Sprint("user", i) || (conv.LastMsg != nil) != (i%16 == 0) {
			t.Fatalf("number %d is %+v", i, conv)
		}
	}
}

// TestLongAnswersSideBySide: answers in pieces, short ones and reports come
// over one connection at once.
func TestLongAnswersSideBySide(t *testing.T) {
	const n = 300
	r, c := openMany(t, n, func(o *Options) { o.MaxMessageBytes = minMaxMessage })
	ctx := within(t, time.Minute)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if list, err := c.(tim.History).Conversations(ctx); err != nil || len(list) != n {
					t.Errorf("%d conversations, %v", len(list), err)
				}
			}
		})
		wg.Go(func() {
			for i := range 20 {
				if _, err := c.Send(ctx, tim.C2C("bob"), textMessage(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
				report := r.far.tell("alice", tim.MessagesReceived{Messages: []tim.Message{textMessage("x")}})
				eventually(t, "the report is acknowledged", report.acked.Load)
			}
		})
	}
	wg.Wait()
}

func TestAnswerLongerThanTaken(t *testing.T) {
	_, c := openMany(t, 10_000, func(o *Options) { o.MaxMessageBytes, o.MaxAnswerBytes = minMaxMessage, 64<<10 })
	ctx := within(t, 10*time.Second)
	_, err := c.(tim.History).Conversations(ctx)
	if e, ok := tim.AsError(err); !ok || !errors.Is(err, ErrTooLarge) || e.Effect != tim.EffectDone {
		t.Errorf("got %#v", err)
	}
	if _, err := c.Send(ctx, tim.C2C("bob"), textMessage("still here")); err != nil {
		t.Error(err)
	}
}

func TestPiecesThatDoNotFit(t *testing.T) {
	data := base64.StdEncoding.EncodeToString([]byte(`[1,2]`))
	part := frame{kind: kindPart, id: 1, data: data}
	for name, tt := range map[string]struct {
		frames []frame
		body   string
		broken bool
	}{
		"whole":             {[]frame{{kind: kindReply, id: 1, body: []byte(`[1]`)}}, `[1]`, false},
		"two pieces":        {[]frame{part, part, {kind: kindReply, id: 1, bytes: 10}}, `[1,2][1,2]`, false},
		"one is missing":    {[]frame{part, {kind: kindReply, id: 1, bytes: 10}}, "", true},
		"none came":         {[]frame{{kind: kindReply, id: 1, bytes: math.MaxUint64}}, "", true},
		"pieces and a body": {[]frame{part, {kind: kindReply, id: 1, bytes: 5, body: []byte(`1`)}}, "", true},
		"nobody counted":    {[]frame{part, {kind: kindReply, id: 1}}, "", true},
		"no base64":         {[]frame{{kind: kindPart, id: 1, data: "[1]"}}, "", true},
		"too many":          {[]frame{part, part, part, part}, "", true},
		"of another":        {[]frame{{kind: kindPart, id: 2, data: data}, {kind: kindReply, id: 1}}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			one := &call{id: 1, release: func() {}, done: make(chan answer, 1)}
			c := &clientConn{maxAnswer: 16, pending: map[uint64]*call{1: one}}
			var err error
			for _, f := range tt.frames {
				if err = c.take(f); err != nil {
					break
				}
			}
			if errors.Is(err, errFrame) != tt.broken {
				t.Fatalf("the connection ends with %v", err)
			}
			if tt.broken {
				return
			}
			if a := <-one.done; a.err != nil || string(a.body) != tt.body {
				t.Errorf("the answer is %q, %v", a.body, a.err)
			}
		})
	}
}
