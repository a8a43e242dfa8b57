package egress

import (
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

func TestExpiry(t *testing.T) {
	t.Run("passed when it is read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{}).start()
			synctest.Wait()
			time.Sleep(time.Minute)
			c := sendTo("1", "bob", "hi")
			c.expiry = time.Now()
			r.bus.publish(t, c)
			synctest.Wait()
			got := r.want("1", mapping.TypeExpired, mapping.CodeExpired)
			if got.Attempts != 0 || len(r.im.sent()) != 0 {
				t.Errorf("%d attempts, sent %v", got.Attempts, r.im.sent())
			}
		})
	})
	t.Run("passes while the service is away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.accounts.set("bot", StateWaiting, nil)
			r.start()
			synctest.Wait()
			c := sendTo("1", "bob", "hi")
			c.expiry = time.Now().Add(time.Minute)
			r.bus.publish(t, c)
			time.Sleep(59 * time.Second)
			synctest.Wait()
			r.none("1")
			time.Sleep(2 * time.Second)
			synctest.Wait()
			r.want("1", mapping.TypeExpired, mapping.CodeExpired)
		})
	})
	t.Run("passes between attempts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.im.script = func(call) answer { return answer{err: busy()} }
			r.start()
			synctest.Wait()
			c := sendTo("1", "bob", "hi")
			c.expiry = time.Now().Add(time.Minute)
			r.bus.publish(t, c)
			time.Sleep(61 * time.Second)
			synctest.Wait()
			if got := r.want("1", mapping.TypeExpired, mapping.CodeExpired); got.Attempts < 3 {
				t.Errorf("%d attempts", got.Attempts)
			}
		})
	})
	t.Run("does not end what is in doubt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.im.script = func(c call) answer {
				if c.op == "send" && c.n == 1 {
					return answer{err: unknown(), perform: true}
				}
				return answer{}
			}
			r.start()
			synctest.Wait()
			c := sendTo("1", "bob", "hi")
			c.expiry = time.Now().Add(time.Millisecond)
			r.bus.publish(t, c)
			time.Sleep(time.Minute)
			synctest.Wait()
			r.want("1", mapping.TypeSucceeded, "")
		})
	})
}

func TestServiceAwayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.accounts.set("bot", StateWaiting, nil)
		r.start()
		for _, id := range []string{"1", "2", "3"} {
			r.bus.publish(t, sendTo(id, "bob", id))
		}
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		r.none("1")
		r.accounts.set("bot", StateConnected, r.im.client("bot"))
		synctest.Wait()
		if got := r.im.sent(); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Errorf("sent %v", got)
		}
	})
}

func TestGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{GiveUp: 2 * time.Hour})
		r.accounts.set("bot", StateWaiting, nil)
		r.start()
		r.bus.publish(t, sendTo("1", "bob", "1"))
		time.Sleep(time.Hour)
		r.bus.publish(t, sendTo("2", "bob", "2"))
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if got := r.want("1", mapping.TypeFailed, mapping.CodeGaveUp); !got.Error.Retryable {
			t.Error("a redrive could help, and the outcome does not say so")
		}
		r.none("2")
		time.Sleep(time.Hour)
		synctest.Wait()
		r.want("2", mapping.TypeFailed, mapping.CodeGaveUp)
	})
}

func TestAccountUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.start()
		synctest.Wait()
		r.accounts.set("bot", StateUnavailable, nil)
		r.bus.publish(t, sendTo("1", "bob", "1"))
		r.bus.publish(t, sendTo("2", "bob", "2"))
		time.Sleep(5*time.Minute - time.Second)
		synctest.Wait()
		r.none("1")
		r.bus.publish(t, sendTo("3", "carol", "3"))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for _, id := range []string{"1", "2", "3"} { // all at once, by the account's time
			r.want(id, mapping.TypeFailed, mapping.CodeAccountUnavailable)
		}
		r.accounts.set("bot", StateConnected, r.im.client("bot"))
		r.bus.publish(t, sendTo("4", "bob", "4"))
		synctest.Wait()
		r.want("4", mapping.TypeSucceeded, "")
	})
}

func TestAccountComesBackInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.accounts.set("bot", StateUnavailable, nil)
		r.start()
		r.bus.publish(t, sendTo("1", "bob", "1"))
		time.Sleep(4 * time.Minute)
		r.accounts.set("bot", StateWaiting, nil)
		time.Sleep(4 * time.Minute)
		r.accounts.set("bot", StateUnavailable, nil)
		time.Sleep(4 * time.Minute)
		r.accounts.set("bot", StateConnected, r.im.client("bot"))
		synctest.Wait()
		r.want("1", mapping.TypeSucceeded, "")
	})
}

func TestRetry(t *testing.T) {
	t.Run("with a wait that grows", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.im.script = func(c call) answer {
				if c.n <= 12 {
					return answer{err: busy()}
				}
				return answer{}
			}
			r.start()
			r.bus.publish(t, sendTo("1", "bob", "1"))
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if got := r.want("1", mapping.TypeSucceeded, ""); got.Attempts != 13 {
				t.Errorf("%d attempts", got.Attempts)
			}
			calls := r.im.called("send")
			for i := 1; i < len(calls); i++ {
				wait := calls[i].at.Sub(calls[i-1].at)
				upper := min(200*time.Millisecond<<(i-1), 30*time.Second)
				if wait < upper/2 || wait > upper+time.Millisecond {
					t.Errorf("wait %d is %s, want %s to %s", i, wait, upper/2, upper)
				}
				if calls[i].rand != calls[0].rand {
					t.Errorf("attempt %d has another random", i+1)
				}
			}
			if s := r.egress.Stats(); s.Retries != 12 || s.Doubts != 0 {
				t.Errorf("%d retries, %d doubts", s.Retries, s.Doubts)
			}
		})
	})
	t.Run("after the time the service asks for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.im.script = func(c call) answer {
				if c.n == 1 {
					e := busy().(*tim.Error)
					e.RetryAfter = 2 * time.Minute
					return answer{err: e}
				}
				return answer{}
			}
			r.start()
			r.bus.publish(t, sendTo("1", "bob", "1"))
			time.Sleep(2*time.Minute - time.Millisecond)
			synctest.Wait()
			r.none("1")
			time.Sleep(15 * time.Second)
			synctest.Wait()
			r.want("1", mapping.TypeSucceeded, "")
		})
	})
	t.Run("only where it can help", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.im.script = func(c call) answer { return answer{err: refused()} }
			r.start()
			r.bus.publish(t, sendTo("1", "bob", "1"))
			synctest.Wait()
			got := r.want("1", mapping.TypeFailed, mapping.CodeIMError)
			if got.Attempts != 1 || got.Error.Number != 10017 || got.Error.Name != "ERR_SVR_GROUP_SHUTUP_DENY" || got.Error.Retryable {
				t.Errorf("%d attempts, %+v", got.Attempts, got.Error)
			}
		})
	})
	t.Run("the account's trouble is waited out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.im.script = func(c call) answer {
				if c.n == 1 {
					return answer{err: tim.NewError("send", tim.CodeSDKNotLoggedIn, "")}
				}
				return answer{}
			}
			r.start()
			r.bus.publish(t, sendTo("1", "bob", "1"))
			time.Sleep(time.Minute)
			synctest.Wait()
			r.want("1", mapping.TypeSucceeded, "")
		})
	})
}

func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.im.script = func(c call) answer {
			if c.text == "b1" && c.n < 5 {
				return answer{err: busy()}
			}
			return answer{delay: 10 * time.Millisecond}
		}
		r.start()
		for _, c := range []command{
			sendTo("1", "bob", "b1"), sendTo("2", "carol", "c1"), sendTo("3", "bob", "b2"),
			sendIn("4", "team", "g1"), sendTo("5", "carol", "c2"), sendIn("6", "team", "g2"),
		} {
			r.bus.publish(t, c)
		}
		synctest.Wait()
		if s := r.egress.Stats(); s.Lanes != 3 || s.Open != 6 {
			t.Errorf("%d lanes, %d open", s.Lanes, s.Open)
		}
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		for _, id := range []string{"2", "4", "5", "6"} {
			r.want(id, mapping.TypeSucceeded, "")
		}
		r.none("1")
		r.none("3")
		time.Sleep(time.Minute)
		synctest.Wait()
		sent := r.im.sent()
		for _, pair := range [][2]string{{"b1", "b2"}, {"c1", "c2"}, {"g1", "g2"}} {
			if slices.Index(sent, pair[0]) > slices.Index(sent, pair[1]) {
				t.Errorf("%v: %s comes before %s", sent, pair[1], pair[0])
			}
		}
		if len(sent) != 6 {
			t.Errorf("sent %v", sent)
		}
	})
}

func TestGroupIsCreatedBeforeItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.im.script = func(c call) answer {
			if c.op == "create" && c.n < 4 {
				return answer{err: busy()}
			}
			return answer{}
		}
		r.start()
		group := string(mapping.GroupIDFor("https://shop.example/orders", "create", false))
		r.bus.publish(t, command{id: "create", kind: "group.create", data: map[string]any{"group_type": "public", "name": "team"}})
		r.bus.publish(t, sendIn("send", group, "hello"))
		r.bus.publish(t, command{id: "dismiss", kind: "group.dismiss", data: map[string]any{"group_id": group}})
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, id := range []string{"create", "send", "dismiss"} {
			r.want(id, mapping.TypeSucceeded, "")
		}
	})
}

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Rates: Rates{Account: 20, Send: 10}})
		r.start()
		began := time.Now()
		for i := range 40 {
			r.bus.publish(t, sendTo(strconv.Itoa(i), "user"+strconv.Itoa(i%8), "x"))
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		calls := r.im.called("send")
		if len(calls) != 40 {
			t.Fatalf("%d calls", len(calls))
		}
		if d := calls[39].at.Sub(began); d < 2900*time.Millisecond || d > 3200*time.Millisecond {
			t.Errorf("40 sends at 10 a second, with 10 at once, take %s", d)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Run("a call under way is waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.im.script = func(call) answer { return answer{delay: 3 * time.Second} }
			r.start()
			r.bus.publish(t, sendTo("1", "bob", "1"))
			r.bus.publish(t, sendTo("2", "bob", "2"))
			synctest.Wait()
			j := r.journal
			r.cancel()
			if err := <-r.done; err != nil {
				t.Error(err)
			}
			r.cancel = nil
			got := outcomesOf(t, j)
			if _, ok := got["1"]; !ok || len(got) != 1 {
				t.Errorf("outcomes %v, want that of 1", got)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			r.im.script = nil
			r.start()
			synctest.Wait()
			r.want("2", mapping.TypeSucceeded, "")
		})
	})
	t.Run("but not for ever", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{CallTimeout: time.Hour})
			r.im.script = func(call) answer { return answer{delay: 30 * time.Minute} }
			r.start()
			r.bus.publish(t, sendTo("1", "bob", "1"))
			synctest.Wait()
			began := time.Now()
			r.stop()
			if d := time.Since(began); d != 10*time.Second {
				t.Errorf("draining took %s", d)
			}
			r.im.script = nil
			r.start()
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			r.want("1", mapping.TypeSucceeded, "")
			if s := r.egress.Stats(); s.Doubts != 1 {
				t.Errorf("%d doubts", s.Doubts)
			}
		})
	})
}
