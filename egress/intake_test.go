package egress

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/mapping"
)

func TestBadInputHasItsOutcomeAndTheStreamGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Policy: Policy{Conversations: []string{"c2c/*"}, Verbs: []string{"message.*"}}})
		r.start()
		bad := func(name string, code mapping.RejectCode, publish func(id string) uint64) {
			t.Helper()
			place := publish(name)
			synctest.Wait()
			for id, o := range r.outcomes() {
				if o.Position.Offset == place {
					if r.want(id, mapping.TypeRejected, code); o.dead == nil || len(o.dead.Original.Data) == 0 {
						t.Errorf("%s: no original in the dead letter", name)
					}
					return
				}
			}
			t.Errorf("%s: no outcome", name)
		}
		with := func(change func(*command)) func(string) uint64 {
			return func(id string) uint64 {
				c := sendTo(id, "bob", "hi")
				change(&c)
				return r.bus.publish(t, c)
			}
		}
		bad("not a CloudEvent", mapping.RejectMalformed, func(string) uint64 {
			return r.bus.put(bus.Received{Original: []byte("rubbish"), Err: fmt.Errorf("%w: no specversion", bus.ErrNotCloudEvent)})
		})
		bad("too large", mapping.RejectTooLarge, func(string) uint64 {
			return r.bus.put(bus.Received{Original: []byte("much"), Err: fmt.Errorf("%w: 2 MiB", bus.ErrLimit)})
		})
		bad("huge", mapping.RejectTooLarge, with(func(c *command) {
			c.data = sendTo("", "bob", strings.Repeat("x", 2<<20)).data
		}))
		bad("unknown type", mapping.RejectUnknownType, with(func(c *command) { c.kind = "message.sing" }))
		bad("schema", mapping.RejectSchemaInvalid, with(func(c *command) { c.data = map[string]any{"elements": 5} }))
		bad("tips", mapping.RejectElementNotSendable, with(func(c *command) {
			c.data.(map[string]any)["elements"] = []any{map[string]any{"type": "group_tips"}}
		}))
		bad("no account", mapping.RejectAccountMissing, with(func(c *command) { c.account = "-" }))
		bad("unknown account", mapping.RejectAccountUnknown, with(func(c *command) { c.account = "nobody" }))
		bad("policy, conversation", mapping.RejectNotAllowed, func(id string) uint64 { return r.bus.publish(t, sendIn(id, "team", "hi")) })
		bad("policy, verb", mapping.RejectNotAllowed, with(func(c *command) {
			c.kind, c.data = "group.create", map[string]any{"group_type": "public", "name": "team"}
		}))
		r.bus.publish(t, sendTo("good", "bob", "hi"))
		synctest.Wait()
		r.want("good", mapping.TypeSucceeded, "")
		bad("id reused", mapping.RejectIDReused, with(func(c *command) { c.id = "good"; c.data = sendTo("", "bob", "other").data }))
		if s := r.egress.Stats(); s.Rejected[mapping.RejectNotAllowed] != 2 || s.DeadLetters != 11 || s.Read != 12 {
			t.Errorf("stats %+v", s)
		}

		// An id that was rejected may be used again once the command is mended.
		r.bus.publish(t, sendTo("schema", "bob", "mended"))
		synctest.Wait()
		r.want("schema", mapping.TypeSucceeded, "")
	})
}

func TestRepeatsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		for range 3 {
			r.bus.publish(t, sendTo("1", "bob", "hi")) // in one batch, perhaps
		}
		synctest.Wait()
		r.bus.publish(t, sendTo("1", "bob", "hi"))
		synctest.Wait()
		r.stop()
		r.start()
		r.bus.publish(t, sendTo("1", "bob", "hi"))
		synctest.Wait()
		if got := r.im.sent(); len(got) != 1 {
			t.Errorf("sent %v", got)
		}
		r.want("1", mapping.TypeSucceeded, "")
		if s := r.egress.Stats(); s.Repeated < 1 {
			t.Errorf("%d repeats counted", s.Repeated)
		}
	})
}

func TestDefaultAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.accounts.only = "bot"
		r.start()
		c := sendTo("1", "bob", "hi")
		c.account = "-"
		r.bus.publish(t, c)
		r.bus.publish(t, sendTo("1", "bob", "hi")) // the same, spelt out
		synctest.Wait()
		r.want("1", mapping.TypeSucceeded, "")
		if s := r.egress.Stats(); s.Repeated != 1 || len(r.im.sent()) != 1 {
			t.Errorf("%d repeats, sent %v", s.Repeated, r.im.sent())
		}
	})
}

func TestShards(t *testing.T) {
	owners := map[string]int{}
	for _, id := range []string{"", "nobody", "bot", "bridge", "alice", "a", "b"} {
		n := 0
		for i := range 3 {
			if (bus.Shard{Index: i, Count: 3}).Owns(id) {
				n, owners[id] = n+1, i
			}
		}
		if n != 1 {
			t.Errorf("%q belongs to %d shards", id, n)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		total := map[string]int{}
		for i := range 3 {
			r := newRig(t, Config{Shard: bus.Shard{Index: i, Count: 3}})
			r.accounts.set("bridge", StateConnected, r.im.client("bridge"))
			r.start()
			for _, c := range []command{
				sendTo("1", "bob", "x"),
				{id: "2", account: "nobody", data: sendTo("", "bob", "y").data},
				{id: "3", account: "bridge", data: sendTo("", "bob", "z").data},
				{id: "4", account: "-", data: sendTo("", "bob", "z").data},
			} {
				r.bus.publish(t, c)
			}
			r.bus.put(bus.Received{Original: []byte("rubbish"), Err: bus.ErrNotCloudEvent})
			synctest.Wait()
			for id := range r.outcomes() {
				id, _, _ = strings.Cut(id, "/")
				total[id]++
			}
			if s := r.egress.Stats(); s.Read != 5 || s.Foreign+uint64(len(r.outcomes())) != 5 {
				t.Errorf("shard %d: %+v", i, s)
			}
			r.stop()
		}
		for _, id := range []string{"1", "2@2", "3", "4@4", "@5"} {
			if total[id] != 1 {
				t.Errorf("%s was answered by %d shards", id, total[id])
			}
		}
	})
}

func TestForeignCommandsMoveThePositionNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mine bus.Shard
		for i := range 2 {
			if s := (bus.Shard{Index: i, Count: 2}); !s.Owns("bot") {
				mine = s
			}
		}
		r := newRig(t, Config{Shard: mine}).start()
		for i := range noteAfter + 1000 {
			r.bus.publish(t, sendTo(strconv.Itoa(i), "bob", "x"))
		}
		synctest.Wait()
		r.stop()
		r.start()
		synctest.Wait()
		if asked := r.bus.asked[1]; len(asked) != 1 || asked[0].Offset < noteAfter || asked[0].Digest == "" {
			t.Errorf("reading went on after %+v", asked)
		}
	})
}

func TestReadingStopsWhenMuchIsUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{MaxAccepted: 20})
		r.accounts.set("bot", StateWaiting, nil)
		r.start()
		for i := range 100 {
			r.bus.publish(t, sendTo(strconv.Itoa(i), "bob", strconv.Itoa(i)))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := r.egress.Stats(); s.Open != 20 {
			t.Errorf("%d are open, want 20", s.Open)
		}
		r.accounts.set("bot", StateConnected, r.im.client("bot"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := r.im.sent(); len(got) != 100 || !slices.IsSortedFunc(got, byNumber) {
			t.Errorf("sent %v", got)
		}
	})
}

func byNumber(a, b string) int {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x - y
}

func TestReadingStopsWhenUnfinishedCommandsAreLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{MaxAcceptedBytes: 10_000})
		r.accounts.set("bot", StateWaiting, nil)
		r.start()
		for i := range 20 {
			r.bus.publish(t, sendTo(strconv.Itoa(i), "bob", strings.Repeat("x", 2000)))
			synctest.Wait()
		}
		if s := r.egress.Stats(); s.Open < 2 || s.Open > 5 {
			t.Errorf("%d are open with %d bytes", s.Open, s.OpenBytes)
		}
		r.accounts.set("bot", StateConnected, r.im.client("bot"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := r.im.sent(); len(got) != 20 {
			t.Errorf("%d sent", len(got))
		}
	})
}

func TestOneAccountNeverStopsTheOthers(t *testing.T) {
	publish := func(t *testing.T, r *rig, account string, from, n int) {
		for i := range n {
			c := sendTo(account+strconv.Itoa(from+i), "bob", account)
			c.account = account
			r.bus.publish(t, c)
		}
	}
	backlog := func(r *rig) int {
		return int(r.egress.Stats().Failed[mapping.CodeAccountBacklog])
	}
	t.Run("it is away and the others are not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{MaxAccepted: 40})
			r.accounts.set("away", StateWaiting, nil)
			r.start()
			publish(t, r, "away", 0, 100)
			publish(t, r, "bot", 0, 5)
			synctest.Wait()
			for i := range 5 {
				r.want("bot"+strconv.Itoa(i), mapping.TypeSucceeded, "")
			}
			if n := backlog(r); n != 90 {
				t.Errorf("%d failed as account_backlog, want what is over a quarter of 40: 90", n)
			}
			r.want("away10", mapping.TypeFailed, mapping.CodeAccountBacklog)
			r.accounts.set("away", StateConnected, r.im.client("away"))
			synctest.Wait()
			for i := range 10 {
				r.want("away"+strconv.Itoa(i), mapping.TypeSucceeded, "")
			}
		})
	})
	t.Run("all are away, then the others come back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{MaxAccepted: 40})
			r.accounts.set("away", StateWaiting, nil)
			r.accounts.set("bot", StateWaiting, nil)
			r.start()
			publish(t, r, "away", 0, 100)
			publish(t, r, "bot", 0, 5)
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := backlog(r); n != 0 {
				t.Errorf("%d failed while nobody could act", n)
			}
			r.accounts.set("bot", StateConnected, r.im.client("bot"))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			for i := range 5 {
				r.want("bot"+strconv.Itoa(i), mapping.TypeSucceeded, "")
			}
			for i := range 10 {
				r.none("away" + strconv.Itoa(i)) // the oldest still wait
			}
		})
	})
	t.Run("it is connected and gets nothing done", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{MaxAccepted: 40})
			r.im.script = func(c call) answer {
				if c.account == "stuck" {
					return answer{err: busy()}
				}
				return answer{}
			}
			r.accounts.set("stuck", StateConnected, r.im.client("stuck"))
			r.start()
			publish(t, r, "stuck", 0, 50)
			publish(t, r, "bot", 0, 1)
			time.Sleep(9 * time.Second)
			synctest.Wait()
			if n := backlog(r); n != 0 {
				t.Errorf("%d failed before patience ended", n)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			r.want("bot0", mapping.TypeSucceeded, "")
			if n := backlog(r); n != 40 {
				t.Errorf("%d failed as account_backlog, want 40", n)
			}
		})
	})
	t.Run("it is busy", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{MaxAccepted: 40})
			r.im.script = func(c call) answer { return answer{delay: time.Second} }
			r.accounts.set("busy", StateConnected, r.im.client("busy"))
			r.start()
			publish(t, r, "busy", 0, 100)
			publish(t, r, "bot", 0, 1)
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			r.want("bot0", mapping.TypeSucceeded, "")
			for i := range 100 {
				r.want("busy"+strconv.Itoa(i), mapping.TypeSucceeded, "")
			}
		})
	})
}

func TestBusThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.bus.failing = errors.New("no such stream")
		r.start()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := r.egress.Stats(); !strings.Contains(s.Trouble, "no such stream") || time.Since(s.TroubleSince) < 59*time.Second {
			t.Errorf("trouble %q since %s", s.Trouble, s.TroubleSince)
		}
		r.bus.mu.Lock()
		r.bus.failing = nil
		r.bus.mu.Unlock()
		time.Sleep(time.Minute)
		r.bus.publish(t, sendTo("1", "bob", "hi"))
		synctest.Wait()
		r.want("1", mapping.TypeSucceeded, "")
		if s := r.egress.Stats(); s.Trouble != "" {
			t.Errorf("trouble %q", s.Trouble)
		}
	})
}

func TestTailLostUnderTheCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		for i := range 5 {
			r.bus.publish(t, sendTo(strconv.Itoa(i), "bob", strconv.Itoa(i)))
			time.Sleep(time.Second)
		}
		r.bus.put(bus.Received{Original: []byte("rubbish"), Err: bus.ErrNotCloudEvent})
		synctest.Wait()
		r.stop()
		r.bus.loseTail(3)
		time.Sleep(time.Second)
		r.bus.publish(t, sendTo("4", "bob", "4")) // its publisher sends it again
		r.bus.publish(t, sendTo("5", "bob", "5"))
		r.bus.put(bus.Received{Original: []byte("other rubbish"), Err: bus.ErrNotCloudEvent})
		r.start()
		synctest.Wait()
		if got := r.im.sent(); !slices.Equal(got, []string{"0", "1", "2", "3", "4", "5"}) {
			t.Errorf("sent %v", got)
		}
		r.want("5", mapping.TypeSucceeded, "")
		if n := len(r.egressOutcomes()); n != 8 {
			t.Errorf("%d outcomes, want one for each of 6 commands and 2 that were none", n)
		}
		if s := r.egress.Stats(); s.Resets != 1 || s.Repeated != 1 {
			t.Errorf("%d resets, %d repeats", s.Resets, s.Repeated)
		}
	})
}

func TestOlderThanTheLedgerReaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Horizon: time.Hour})
		r.accounts.set("bot", StateConnected, r.im.client("bot"))
		r.start()
		synctest.Wait()
		r.bus.publish(t, sendTo("old", "bob", "old"))
		time.Sleep(2 * time.Hour)
		r.bus.publish(t, sendTo("new", "bob", "new"))
		synctest.Wait()
		// The bus hands an old message out again, as after a reset by time.
		r.bus.mu.Lock()
		again := r.bus.msgs[0]
		again.Offset = 3
		r.bus.msgs = append(r.bus.msgs, again)
		r.bus.wake()
		r.bus.mu.Unlock()
		synctest.Wait()
		var expired int
		for _, o := range r.egressOutcomes() {
			if o.Type == mapping.TypeExpired {
				expired++
			}
		}
		if got := r.im.sent(); len(got) != 2 || expired != 1 {
			t.Errorf("sent %v, %d expired", got, expired)
		}
	})
}

// egressOutcomes are all outcomes, also several of one command.
func (r *rig) egressOutcomes() []mapping.Outcome {
	r.t.Helper()
	var out []mapping.Outcome
	for _, e := range r.public() {
		if mapping.IsOutcome(e.Type()) {
			o, err := mapping.ParseOutcome(e)
			if err != nil {
				r.t.Fatal(err)
			}
			out = append(out, o)
		}
	}
	return out
}

func TestAcceptedCommandThatCannotBeReadAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.accounts.set("bot", StateWaiting, nil)
		r.start()
		r.bus.publish(t, sendTo("1", "bob", "hi"))
		synctest.Wait()
		r.stop()
		r.mapper = refusing{}
		r.start()
		synctest.Wait()
		r.want("1", mapping.TypeFailed, mapping.RejectUnknownType)
	})
}

// Of a command of which only the beginning was read, the dead letter tells the
// size and the hash of the whole.
func TestDeadLetterOfACommandThatWasCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.start()
		sum := strings.Repeat("ab", 32)
		place := r.bus.put(bus.Received{
			Original: []byte(strings.Repeat("x", 100<<10)), Cut: &bus.Cut{Size: 300 << 20, SHA256: sum}, Err: fmt.Errorf("%w: 300 MiB", bus.ErrLimit),
		})
		synctest.Wait()
		for id, o := range r.outcomes() {
			if o.Position.Offset != place {
				continue
			}
			r.want(id, mapping.TypeRejected, mapping.RejectTooLarge)
			if got := o.dead.Original; !got.Truncated || got.Size != 300<<20 || got.SHA256 != sum || len(got.Data) != mapping.KeptOriginal {
				t.Errorf("%d bytes of %d, %s, truncated %t", len(got.Data), got.Size, got.SHA256, got.Truncated)
			}
			return
		}
		t.Error("no outcome")
	})
}
