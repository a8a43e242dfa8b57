package egress

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// saidAt is when message 1 was sent, in seconds since 1970.
const saidAt = 946_684_800

// deed is a command beside message.send, what it does, and how one sees it.
type deed struct {
	kind, op string
	data     any
	done     func(*service) bool
}

// deeds are commands of the account bot in the group "club" that it owns, in
// "team" that alice owns, and in its talk with bob, who was sent message 1.
func deeds() map[string]deed {
	group := func(id string, more ...any) map[string]any {
		m := map[string]any{"group_id": id}
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	text := []any{map[string]any{"type": "text", "text": "said otherwise"}}
	bob := map[string]any{"type": "c2c", "user_id": "bob"}
	place := func(more ...any) map[string]any {
		m := map[string]any{"conversation": bob, "sequence": 1, "random": 1, "server_time": saidAt}
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	return map[string]deed{
		"modify": {"message.modify", "modify", place("elements", text), func(s *service) bool {
			return s.messages[0].Version == 1 && s.messages[0].Elems[0].(tim.TextElem).Content == "said otherwise"
		}},
		"mark read": {"message.mark_read", "mark_read", map[string]any{"conversation": bob}, func(s *service) bool {
			return s.users.read[tim.C2C("bob")] == 1
		}},
		"group modify": {"group.modify", "group_modify", group("club", "name", "book club", "mute_all", true), func(s *service) bool {
			return s.rooms["club"].info.GroupName == "book club" && s.rooms["club"].info.IsShutupAll
		}},
		"transfer": {"group.transfer", "transfer", group("club", "user_id", "carol"), func(s *service) bool {
			return s.rooms["club"].info.OwnerIdentifier == "carol"
		}},
		"modify member": {"group.modify_member", "modify_member", group("club", "user_id", "carol", "name_card", "C", "role", "admin", "muted_seconds", 3600), func(s *service) bool {
			m := s.rooms["club"].members["carol"]
			return m.NameCard == "C" && m.MemberRole == tim.RoleAdmin && m.ShutupTime != 0
		}},
		"join": {"group.join", "join", group("open"), func(s *service) bool {
			_, in := s.rooms["open"].members["bot"]
			return in
		}},
		"quit": {"group.quit", "quit", group("team"), func(s *service) bool {
			_, in := s.rooms["team"].members["bot"]
			return !in
		}},
		"handle request": {"group.handle_request", "handle_request", group("club", "user_id", "dave", "accept", true), func(s *service) bool {
			p := s.rooms["club"].requests[0]
			return p.Handled == tim.PendencyOperatorHandle && p.HandleResult == tim.PendencyAccept
		}},
		"profile": {"profile.modify", "profile", map[string]any{"nick_name": "Bot"}, func(s *service) bool {
			return s.users.profile.NickName == "Bot"
		}},
		"status": {"status.set", "status", map[string]any{"custom": "away"}, func(s *service) bool {
			return s.users.status == "away"
		}},
	}
}

// furnish makes what the deeds need.
func furnish(s *service) {
	s.addRoom("club", "bot", "carol").requests = []tim.GroupPendency{
		{GroupID: "club", FromIdentifier: "dave", AddTime: 5, Key: "dave-1"},
		{GroupID: "club", FromIdentifier: "erin", AddTime: 9, Key: "erin-1"},
	}
	s.addRoom("team", "alice", "bot")
	s.addRoom("open", "alice")
	s.seq = 1
	s.messages = []stored{{
		Message: tim.Message{
			ConvType: tim.ConvC2C, ConvID: "bob", Sender: "bot", Seq: 1, Rand: 1, ServerTime: saidAt,
			Elems: []tim.Elem{tim.TextElem{Content: "said"}},
		},
		key: tim.Conversation{Type: tim.ConvC2C, ID: "bob/bot"}, at: time.Now(),
	}}
}

func TestCommandsAndTheirDoubts(t *testing.T) {
	for what, how := range map[string]struct {
		first, second answer
		eventType     string
		done          bool
		calls         int
		code          mapping.RejectCode
	}{
		"well":                            {eventType: mapping.TypeSucceeded, done: true, calls: 1},
		"busy at first":                   {first: answer{err: busy()}, eventType: mapping.TypeSucceeded, done: true, calls: 2},
		"refused":                         {first: answer{err: refused()}, eventType: mapping.TypeFailed, calls: 1, code: mapping.CodeIMError},
		"not done, and no answer":         {first: answer{err: unknown()}, eventType: mapping.TypeSucceeded, done: true, calls: 2},
		"done, and no answer":             {first: answer{err: unknown(), perform: true}, eventType: mapping.TypeSucceeded, done: true, calls: 2},
		"done, no answer, then refused":   {first: answer{err: unknown(), perform: true}, second: answer{err: refused()}, eventType: mapping.TypeSucceeded, done: true, calls: 2},
		"not done, no answer, refused":    {first: answer{err: unknown()}, second: answer{err: refused()}, eventType: mapping.TypeFailed, calls: 2, code: mapping.CodeIMError},
		"done, though an error came back": {first: answer{err: &tim.Error{Op: "x", Code: tim.CodeSvrGroupInternalError, Effect: tim.EffectDone}, perform: true}, eventType: mapping.TypeSucceeded, done: true, calls: 1},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for name, d := range deeds() {
					r := newRig(t, Config{})
					furnish(r.im)
					r.im.script = func(c call) answer {
						switch {
						case c.op == d.op && c.n == 1:
							return how.first
						case c.op == d.op && c.n == 2:
							return how.second
						}
						return answer{}
					}
					r.start()
					r.bus.publish(t, command{id: "1", kind: d.kind, data: d.data})
					time.Sleep(time.Hour)
					synctest.Wait()
					eventType, code, calls := how.eventType, how.code, how.calls
					if name == "modify" && what == "done, and no answer" || name == "modify" && what == "done, no answer, then refused" {
						calls = 1 // what it says is looked at first
					}
					if name == "mark read" && what == "done, no answer, then refused" {
						eventType, code = mapping.TypeFailed, mapping.CodeIMError // nobody can be asked
					}
					got := r.want("1", eventType, code)
					if n := len(r.im.called(d.op)); n != calls || got.Attempts != calls {
						t.Errorf("%s: %d calls and %d attempts, want %d", name, n, got.Attempts, calls)
					}
					if d.done(r.im) != how.done {
						t.Errorf("%s: done is %v", name, !how.done)
					}
					if got.Result != nil {
						if name == "modify" && got.Result.Version != 1 && what != "done, though an error came back" {
							t.Errorf("version %d", got.Result.Version)
						}
						if doubted := how.first.perform && calls < how.calls || how.second.err != nil; got.Result.Settled != doubted && !(name == "mark read") && what != "done, and no answer" {
							t.Errorf("%s: settled is %v", name, got.Result.Settled)
						}
					}
					r.stop()
				}
			})
		})
	}
}

func TestWhatIsSoAlready(t *testing.T) {
	request := func(handled tim.GroupPendencyHandle, result tim.GroupPendencyHandleResult) func(*service) {
		return func(s *service) {
			s.rooms["club"].requests[0].Handled, s.rooms["club"].requests[0].HandleResult = handled, result
		}
	}
	for name, c := range map[string]struct {
		deed    string
		prepare func(*service)
		code    mapping.RejectCode
	}{
		"quit, being no member":             {"quit", func(s *service) { delete(s.rooms["team"].members, "bot") }, ""},
		"quit, the group being dismissed":   {"quit", func(s *service) { delete(s.rooms, "team") }, ""},
		"quit, being the owner":             {"quit", func(s *service) { s.rooms["team"].info.OwnerIdentifier = "bot" }, mapping.CodeIMError},
		"join, being a member":              {"join", func(s *service) { s.rooms["open"].members["bot"] = tim.GroupMemberInfo{} }, ""},
		"join, there being no such group":   {"join", func(s *service) { delete(s.rooms, "open") }, mapping.CodeIMError},
		"transfer to who is the owner":      {"transfer", func(s *service) { s.rooms["club"].info.OwnerIdentifier = "carol" }, ""},
		"transfer, another being the owner": {"transfer", func(s *service) { s.rooms["club"].info.OwnerIdentifier = "erin" }, mapping.CodeIMError},
		"transfer to who is no member":      {"transfer", func(s *service) { delete(s.rooms["club"].members, "carol") }, mapping.CodeIMError},
		"a request that was accepted":       {"handle request", request(tim.PendencyOtherHandle, tim.PendencyAccept), ""},
		"a request that was refused":        {"handle request", request(tim.PendencyOtherHandle, tim.PendencyRefuse), mapping.CodeIMError},
		"a request that nobody made":        {"handle request", func(s *service) { s.rooms["club"].requests = nil }, mapping.CodeIMError},
		"a request made again after a refusal": {"handle request", func(s *service) {
			r := s.rooms["club"]
			old := r.requests[0]
			old.Handled, old.AddTime, old.Key = tim.PendencyOtherHandle, 1, "dave-0"
			r.requests = append(r.requests, old)
		}, "done"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				furnish(r.im)
				c.prepare(r.im)
				r.start()
				d := deeds()[c.deed]
				r.bus.publish(t, command{id: "1", kind: d.kind, data: d.data})
				time.Sleep(time.Minute)
				synctest.Wait()
				switch c.code {
				case "", "done":
					got := r.want("1", mapping.TypeSucceeded, "")
					if g := got.Result.Group; c.deed == "transfer" && (g == nil || g.Owner != "carol") {
						t.Errorf("the group is %+v", g)
					}
					if got.Result.Already != (c.code == "") || got.Result.Settled || got.Result.GroupID == "" {
						t.Errorf("result %+v", got.Result)
					}
				default:
					if got := r.want("1", mapping.TypeFailed, c.code); got.Attempts != 1 {
						t.Errorf("%d attempts", got.Attempts)
					}
				}
			})
		})
	}
}

func TestWhetherItIsSoIsAskedUntilThereIsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		furnish(r.im)
		delete(r.im.rooms["team"].members, "bot")
		r.im.script = func(c call) answer {
			if c.op == "joined" && c.n < 4 {
				return answer{err: unknown()}
			}
			return answer{}
		}
		r.start()
		r.bus.publish(t, command{id: "1", kind: "group.quit", data: map[string]any{"group_id": "team"}})
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := r.want("1", mapping.TypeSucceeded, ""); !got.Result.Already {
			t.Errorf("result %+v", got.Result)
		}
	})
}

func TestAModificationInDoubtDoesNotTakeBackAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		furnish(r.im)
		r.im.script = func(c call) answer {
			switch {
			case c.op == "modify" && c.n == 1:
				return answer{err: unknown(), perform: true}
			case c.op == "history" && c.n < 3: // the service is away for a while
				return answer{err: unknown()}
			}
			return answer{}
		}
		r.start()
		d := deeds()["modify"]
		r.bus.publish(t, command{id: "1", kind: d.kind, data: d.data})
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := r.want("1", mapping.TypeSucceeded, ""); !got.Result.Settled || got.Attempts != 1 {
			t.Errorf("%+v after %d attempts", got.Result, got.Attempts)
		}
		if r.im.messages[0].Version != 1 {
			t.Errorf("modified %d times", r.im.messages[0].Version)
		}
	})
}

func TestADriverThatCannot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		furnish(r.im)
		r.accounts.set("bot", StateConnected, r.im.mute("bot"))
		r.start()
		i := 0
		for _, d := range deeds() {
			i++
			r.bus.publish(t, command{id: fmt.Sprint(i), kind: d.kind, data: d.data})
		}
		r.bus.publish(t, command{id: "receipt", kind: "message.send_read_receipt", data: map[string]any{"message_ids": []string{"group/club/1"}}})
		synctest.Wait()
		for n := range i {
			if got := r.want(fmt.Sprint(n+1), mapping.TypeFailed, mapping.CodeUnsupported); got.Attempts != 0 || got.Error.Retryable {
				t.Errorf("%d attempts, %+v", got.Attempts, got.Error)
			}
		}
		r.want("receipt", mapping.TypeFailed, mapping.CodeUnsupported)
		if len(r.im.calls) != 0 {
			t.Errorf("calls %v", r.im.calls)
		}
	})
}

func TestReadReceiptsAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		furnish(r.im)
		r.bus.publish(t, command{id: "1", kind: "message.send_read_receipt", data: map[string]any{"message_ids": []string{"group/club/4", "group/club/7"}}})
		synctest.Wait()
		if got := r.want("1", mapping.TypeSucceeded, ""); !slices.Equal(got.Result.MessageIDs, []string{"group/club/4", "group/club/7"}) {
			t.Errorf("result %+v", got.Result)
		}
		if r.im.users.receipts[4] != 1 || r.im.users.receipts[7] != 1 {
			t.Errorf("receipts %v", r.im.users.receipts)
		}
	})
}

func TestCommandsKeepTheirLanes(t *testing.T) {
	// A command that is retried holds up those of its conversation, and those
	// of no conversation each other.
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		furnish(r.im)
		r.im.script = func(c call) answer {
			if (c.op == "group_modify" || c.op == "profile") && c.n < 5 {
				return answer{err: busy()}
			}
			return answer{}
		}
		r.start()
		all := deeds()
		for _, name := range []string{"group modify", "modify member", "transfer", "profile", "status", "join", "quit", "modify"} {
			r.bus.publish(t, command{id: name, kind: all[name].kind, data: all[name].data})
		}
		synctest.Wait()
		for _, name := range []string{"join", "quit", "modify"} {
			r.want(name, mapping.TypeSucceeded, "")
		}
		for _, name := range []string{"group modify", "modify member", "transfer", "profile", "status"} {
			r.none(name)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		var order []string
		for _, c := range r.im.calls {
			if slices.Contains([]string{"group_modify", "modify_member", "transfer"}, c.op) && !slices.Contains(order, c.op) {
				order = append(order, c.op)
			}
		}
		if want := []string{"group_modify", "modify_member", "transfer"}; !slices.Equal(order, want) {
			t.Errorf("order %v", order)
		}
		for name := range all {
			if name != "mark read" && name != "handle request" {
				r.want(name, mapping.TypeSucceeded, "")
			}
		}
	})
}

func TestPolicyOfVerbs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Policy: Policy{Verbs: []string{"group.join", "message.*", "status.set"}}}).start()
		furnish(r.im)
		allowed := map[string]bool{"modify": true, "mark read": true, "join": true, "status": true}
		for name, d := range deeds() {
			r.bus.publish(t, command{id: name, kind: d.kind, data: d.data})
		}
		synctest.Wait()
		for name := range deeds() {
			if _, ok := r.outcomes()[name]; ok != allowed[name] {
				t.Errorf("%s: carried out is %v", name, ok)
			}
		}
		for id, o := range r.outcomes() {
			if o.Type == mapping.TypeRejected && o.Error.Code != mapping.RejectNotAllowed {
				t.Errorf("%s: %+v", id, o.Error)
			}
		}
	})
}
