package egress

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// firstSend answers the first attempt at each text with err, having carried it
// out or not, and lets the others go well.
func firstSend(err error, perform bool) func(call) answer {
	return func(c call) answer {
		if c.op == "send" && c.n == 1 {
			return answer{err: err, perform: perform}
		}
		return answer{}
	}
}

func TestSendInDoubt(t *testing.T) {
	type how struct {
		client  func(*service) tim.Client
		window  time.Duration
		perform bool
		onDoubt OnDoubt
	}
	full := func(s *service) tim.Client { return s.client("bot") }
	chooses := func(s *service) tim.Client { return s.withoutRandoms("bot") }
	mute := func(s *service) tim.Client { return s.mute("bot") }
	for name, c := range map[string]struct {
		how
		eventType string
		code      mapping.RejectCode
		sends     int // calls
		posted    int // messages
		settled   bool
	}{
		"done, within the window":           {how{full, 2 * time.Minute, true, ""}, mapping.TypeSucceeded, "", 2, 1, false},
		"not done, within the window":       {how{full, 2 * time.Minute, false, ""}, mapping.TypeSucceeded, "", 2, 1, false},
		"done, found in history":            {how{full, time.Second, true, ""}, mapping.TypeSucceeded, "", 1, 1, true},
		"not done, not in history":          {how{full, time.Second, false, ""}, mapping.TypeSucceeded, "", 2, 1, false},
		"done, found by its elements":       {how{chooses, 0, true, ""}, mapping.TypeSucceeded, "", 1, 1, true},
		"not done, no such elements":        {how{chooses, 0, false, ""}, mapping.TypeSucceeded, "", 2, 1, false},
		"done, and nothing can tell":        {how{mute, 0, true, ""}, mapping.TypeFailed, mapping.CodeInDoubt, 1, 1, false},
		"not done, and nothing can tell":    {how{mute, 0, false, ""}, mapping.TypeFailed, mapping.CodeInDoubt, 1, 0, false},
		"done, rather twice than never":     {how{mute, 0, true, OnDoubtRepeat}, mapping.TypeSucceeded, "", 2, 2, false},
		"not done, rather twice than never": {how{mute, 0, false, OnDoubtRepeat}, mapping.TypeSucceeded, "", 2, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{OnDoubt: c.onDoubt})
				r.im.window = c.window
				r.im.script = firstSend(unknown(), c.perform)
				r.accounts.set("bot", StateConnected, c.client(r.im))
				r.start()
				r.bus.publish(t, sendTo("1", "bob", "hi"))
				r.bus.publish(t, sendTo("2", "bob", "next"))
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				got := r.want("1", c.eventType, c.code)
				if got.Result != nil && got.Result.Settled != c.settled {
					t.Errorf("settled: %v, want %v", got.Result.Settled, c.settled)
				}
				calls := r.im.called("send")
				sends := len(slices.DeleteFunc(calls, func(c call) bool { return c.text != "hi" }))
				posted := len(slices.DeleteFunc(r.im.sent(), func(s string) bool { return s != "hi" }))
				if sends != c.sends || posted != c.posted || got.Attempts != c.sends {
					t.Errorf("%d calls, %d attempts, %d messages; want %d calls, %d messages", sends, got.Attempts, posted, c.sends, c.posted)
				}
				if sent := r.im.sent(); c.code == "" && slices.Index(sent, "next") < slices.Index(sent, "hi") {
					t.Errorf("the lane went on before the doubt was settled: %v", sent)
				}
			})
		})
	}
}

func TestSameTextTwiceInDoubt(t *testing.T) {
	// The driver chooses randoms: only elements can tell, and they are the same.
	for name, c := range map[string]struct {
		done [2]bool
		want int
	}{
		"both done":       {[2]bool{true, true}, 2},
		"neither done":    {[2]bool{false, false}, 2},
		"only the first":  {[2]bool{true, false}, 2},
		"only the second": {[2]bool{false, true}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				r.im.script = func(cl call) answer {
					switch sends := len(r.im.called("send")); {
					case cl.op != "send":
					case sends == 1:
						return answer{err: unknown(), perform: c.done[0]}
					case len(r.im.sent()) == 1 && sends <= 3 && !c.done[1]:
						return answer{err: unknown()}
					case len(r.im.sent()) == 1 && sends <= 3:
						return answer{err: unknown(), perform: true}
					}
					return answer{}
				}
				r.accounts.set("bot", StateConnected, r.im.withoutRandoms("bot"))
				r.start()
				r.bus.publish(t, sendTo("1", "bob", "ok"))
				r.bus.publish(t, sendTo("2", "bob", "ok"))
				time.Sleep(time.Hour)
				synctest.Wait()
				one, two := r.want("1", mapping.TypeSucceeded, ""), r.want("2", mapping.TypeSucceeded, "")
				if one.Result.MessageID == two.Result.MessageID || len(r.im.sent()) != c.want {
					t.Errorf("messages %s and %s, %d sent", one.Result.MessageID, two.Result.MessageID, len(r.im.sent()))
				}
			})
		})
	}
}

func TestHistoryAwayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.im.window = time.Second
		r.im.script = func(c call) answer {
			switch {
			case c.op == "send" && c.n == 1:
				return answer{err: unknown(), perform: true}
			case c.op == "history" && c.n < 6:
				return answer{err: unknown()}
			}
			return answer{}
		}
		r.start()
		r.bus.publish(t, sendTo("1", "bob", "hi"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		r.want("1", mapping.TypeSucceeded, "")
		if got := r.im.sent(); len(got) != 1 {
			t.Errorf("sent %v", got)
		}
	})
}

func TestHistoryRefusedLeavesItInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.im.window = time.Second
		r.im.script = func(c call) answer {
			switch {
			case c.op == "send" && c.n == 1:
				return answer{err: unknown(), perform: true}
			case c.op == "history":
				return answer{err: tim.NewError("history", tim.CodeSvrGroupPermissionDeny, "")}
			}
			return answer{}
		}
		r.start()
		r.bus.publish(t, sendTo("1", "bob", "hi"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		r.want("1", mapping.TypeFailed, mapping.CodeInDoubt)
		random := r.im.called("send")[0].rand
		if c := r.egress.CauseOf("bot", tim.C2C("bob"), random, ""); c == nil || c.ID != "1" {
			t.Errorf("the message turns up and its cause is %v", c)
		}
		r.stop()
		r.start()
		if c := r.egress.CauseOf("bot", tim.C2C("bob"), random, ""); c == nil || c.ID != "1" {
			t.Errorf("after a restart its cause is %v", c)
		}
	})
}

func TestRefusedAfterADoubt(t *testing.T) {
	for name, done := range map[string]bool{"the first went through": true, "the first did not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				r.im.script = func(c call) answer {
					switch {
					case c.op == "send" && c.n == 1:
						return answer{err: unknown(), perform: done}
					case c.op == "send":
						return answer{err: refused()}
					}
					return answer{}
				}
				r.start()
				r.bus.publish(t, sendTo("1", "bob", "hi"))
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if done {
					if got := r.want("1", mapping.TypeSucceeded, ""); !got.Result.Settled {
						t.Error("it was found in history, and the outcome does not say so")
					}
					return
				}
				if got := r.want("1", mapping.TypeFailed, mapping.CodeIMError); got.Error.Number != 10017 {
					t.Errorf("error %+v", got.Error)
				}
			})
		})
	}
}

func TestGroupCommandsInDoubt(t *testing.T) {
	groups := func(s *service) { s.groups["team"] = "bot" }
	for name, c := range map[string]struct {
		command
		before    func(*service)
		op        string
		second    error // what the second call is told; nil: what the service says
		eventType string
		code      mapping.RejectCode
	}{
		"create":             {command{kind: "group.create", data: map[string]any{"group_type": "public", "name": "team"}}, nil, "create", nil, mapping.TypeSucceeded, ""},
		"invite":             {command{kind: "group.invite", data: map[string]any{"group_id": "team", "user_ids": []string{"dave"}}}, groups, "invite", nil, mapping.TypeSucceeded, ""},
		"invite, already":    {command{kind: "group.invite", data: map[string]any{"group_id": "team", "user_ids": []string{"dave"}}}, groups, "invite", tim.NewError("invite", tim.CodeSvrGroupAlreadyMember, ""), mapping.TypeSucceeded, ""},
		"remove, already":    {command{kind: "group.remove_member", data: map[string]any{"group_id": "team", "user_ids": []string{"dave"}}}, groups, "remove", tim.NewError("remove", tim.CodeNoSuccResult, ""), mapping.TypeSucceeded, ""},
		"dismiss":            {command{kind: "group.dismiss", data: map[string]any{"group_id": "team"}}, groups, "dismiss", nil, mapping.TypeSucceeded, ""},
		"revoke":             {command{kind: "message.revoke", data: map[string]any{"message_id": "group/team/1"}}, nil, "revoke", nil, mapping.TypeSucceeded, ""},
		"revoke, too late":   {command{kind: "message.revoke", data: map[string]any{"message_id": "group/team/9"}}, nil, "revoke", tim.NewError("revoke", tim.CodeSvrGroupRevokeMsgTimeLimit, ""), mapping.TypeFailed, mapping.CodeIMError},
		"dismiss, forbidden": {command{kind: "group.dismiss", data: map[string]any{"group_id": "team"}}, groups, "dismiss", tim.NewError("dismiss", tim.CodeSvrGroupPermissionDeny, ""), mapping.TypeFailed, mapping.CodeIMError},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				if c.before != nil {
					c.before(r.im)
				}
				r.im.script = func(cl call) answer {
					switch {
					case cl.op == c.op && cl.n == 1:
						return answer{err: unknown(), perform: true}
					case cl.op == c.op && cl.n == 2 && c.second != nil:
						return answer{err: c.second}
					}
					return answer{}
				}
				r.start()
				r.bus.publish(t, sendIn("0", "team", "first"))
				synctest.Wait()
				c.id = "1"
				r.bus.publish(t, c.command)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				got := r.want("1", c.eventType, c.code)
				if n := len(r.im.called(c.op)); n != 2 || got.Attempts != 2 {
					t.Errorf("%d calls, %d attempts", n, got.Attempts)
				}
			})
		})
	}
}

func TestAlreadySoCountsOnlyWhenInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		r.bus.publish(t, command{id: "1", kind: "group.dismiss", data: map[string]any{"group_id": "nowhere"}})
		synctest.Wait()
		if got := r.want("1", mapping.TypeFailed, mapping.CodeIMError); got.Error.Number != 10010 {
			t.Errorf("%+v", got.Error)
		}
	})
}

func TestCreateNamesTheGroupItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		r.bus.publish(t, command{id: "1", kind: "group.create", data: map[string]any{"group_type": "public", "name": "team"}})
		synctest.Wait()
		got := r.want("1", mapping.TypeSucceeded, "")
		if want := mapping.GroupIDFor("https://shop.example/orders", "1", false); got.Result.GroupID != want {
			t.Errorf("group %q, want %q", got.Result.GroupID, want)
		}
	})
}
