package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Trouble is what a [Fault] does.
type Trouble string

// The troubles. The last three are for reports, Delay is for both, the others
// are for calls.
const (
	// DropBefore loses the request: the call is not carried out and ends, after
	// the fault's Delay, with 6012 and an effect that is not known.
	DropBefore Trouble = "drop_before"
	// DropAfter loses the answer: the call is carried out and ends likewise.
	DropAfter Trouble = "drop_after"
	// Delay holds the call, or the report and all behind it, up.
	Delay Trouble = "delay"
	// Fail ends the call with the fault's Code and Effect.
	Fail Trouble = "error"
	// RateLimit ends the call as the service's limits do: 10023 for a send,
	// else 7008, with the fault's Delay as the time to wait (1 s by default).
	RateLimit Trouble = "rate_limit"
	// Drop does not hand the report out in this session. It comes again at the
	// next one where reports are kept until they are acknowledged, and is lost
	// where they are pushed.
	Drop Trouble = "drop"
	// Duplicate hands the report out twice.
	Duplicate Trouble = "duplicate"
	// Reorder hands the report out after the next one, or alone after a while.
	Reorder Trouble = "reorder"
)

// Fault is a trouble that is to come. The zero Call and Account stand for any.
// In JSON its members are in lower case, an effect is "unknown", "not_done" or
// "done", and a delay is written as "1.5s".
type Fault struct {
	Call    Call
	Account tim.UserID
	Do      Trouble
	// Count is how many calls meet it; 0 means one, a negative value all until Clear.
	Count int
	// Code and Effect are for Fail; an Effect of zero is the one that the code implies.
	Code   tim.Code
	Effect tim.Effect
	Delay  time.Duration
}

// Faults makes troubles on request, for tests. Nothing of it is kept on disk,
// save that accounts were kicked and UserSigs ended.
type Faults struct {
	s *Sandbox
	// The sandbox's lock guards the rest.
	list  []*Fault
	met   map[Call]int
	comes map[tim.UserID]time.Time // when accounts that were cut off come back
}

func newFaults(s *Sandbox) *Faults {
	return &Faults{s: s, met: map[Call]int{}, comes: map[tim.UserID]time.Time{}}
}

// ErrFault is the cause of an error that a [Fault] made.
var ErrFault = errors.New("sandbox: a fault that was asked for")

// reorderPause is how long a report waits for another to go before it.
const reorderPause = 200 * time.Millisecond

// Add adds faults; they are met in the order they were added.
func (f *Faults) Add(faults ...Fault) error {
	for i := range faults {
		if err := faults[i].check(); err != nil {
			return err
		}
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	for _, fault := range faults {
		if fault.Count == 0 {
			fault.Count = 1
		}
		f.list = append(f.list, &fault)
	}
	return nil
}

func (f *Fault) check() error {
	report := f.Call == CallReport
	var good bool
	switch f.Do {
	case Delay:
		good = true
	case DropBefore, DropAfter, Fail, RateLimit:
		good = !report
	case Drop, Duplicate, Reorder:
		good = report
	}
	calls := []Call{
		"", CallLogin, CallRenewUserSig, CallLogout, CallSend, CallRevoke, CallCreateGroup, CallInviteMembers,
		CallDeleteMembers, CallDeleteGroup, CallConversations, CallMessages, CallReport,
		CallJoinGroup, CallQuitGroup, CallJoinedGroups, CallGroupsInfo, CallModifyGroup, CallMembers,
		CallModifyMember, CallRequests, CallHandleRequest,
		CallModifyMessage, CallDeleteMessages, CallClearHistory, CallDeleteConversation, CallMarkRead,
		CallSendReadReceipts, CallReadReceipts, CallBatchSend, CallProfiles, CallModifyProfile,
		CallStatuses, CallSetStatus, CallSubscribeStatus, CallUnsubscribeStatus, CallUpload,
	}
	switch {
	case !slices.Contains(calls, f.Call):
		return fmt.Errorf("sandbox: a fault cannot meet %q", f.Call)
	case !good:
		return fmt.Errorf("sandbox: a fault cannot do %q to %q", f.Do, f.Call)
	case f.Do == Fail && f.Code == tim.CodeOK:
		return fmt.Errorf("sandbox: a fault that fails a call needs a code")
	case f.Do == Delay && f.Delay <= 0:
		return fmt.Errorf("sandbox: a fault that delays needs a delay")
	}
	return nil
}

// Clear removes all faults. Accounts that were cut off stay so.
func (f *Faults) Clear() {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.list = nil
}

// Pending are the faults that have not been met, or not as often as they are to be.
func (f *Faults) Pending() []Fault {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	list := make([]Fault, 0, len(f.list))
	for _, fault := range f.list {
		list = append(list, *fault)
	}
	return list
}

// Met is how many calls of a kind have met a fault.
func (f *Faults) Met(call Call) int {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return f.met[call]
}

// take finds the fault that a call meets. The caller holds the lock.
func (f *Faults) take(call Call, user tim.UserID) (Fault, bool) {
	for i, fault := range f.list {
		if fault.Call != call && (fault.Call != "" || call == CallReport) || fault.Account != "" && fault.Account != user {
			continue
		}
		if fault.Count > 0 {
			if fault.Count--; fault.Count == 0 {
				f.list = slices.Delete(f.list, i, i+1)
			}
		}
		f.met[call]++
		return *fault, true
	}
	return Fault{}, false
}

// trouble carries out a call as the fault wants it.
func (f Fault) trouble(ctx context.Context, op string, call Call, carryOut func() error) error {
	switch f.Do {
	case Delay:
		if !sleep(ctx, f.Delay) {
			return &tim.Error{Op: op, Code: tim.CodeRequestTimeOut, Effect: tim.EffectNotDone, Err: context.Cause(ctx)}
		}
		return carryOut()
	case Fail:
		e := tim.NewError(op, f.Code, "")
		e.Err = ErrFault
		if f.Effect != tim.EffectUnknown {
			e.Effect = f.Effect
		}
		return e
	case RateLimit:
		e := refuse(op, tim.CodeSDKCommAPICallFrequencyLimit, "")
		if call == CallSend {
			e = refuse(op, tim.CodeSvrGroupSendMsgFreqLimit, "")
		}
		e.Err, e.RetryAfter = ErrFault, f.Delay
		if e.RetryAfter == 0 {
			e.RetryAfter = time.Second
		}
		return e
	case DropAfter:
		// Whatever it comes to, nobody hears of it. It is carried out to its
		// end even if the caller stops waiting.
		_ = carryOut()
	}
	sleep(ctx, f.Delay)
	return &tim.Error{Op: op, Code: tim.CodeRequestTimeOut, Desc: "the answer was lost", Effect: tim.EffectUnknown, Err: ErrFault}
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// report is what a report becomes when it is handed out. The caller holds the lock.
func (f *Faults) report(ss *session, r report) []handout {
	out := []handout{{report: r}}
	if ss.held != nil {
		out = append(out, *ss.held)
		ss.held = nil
		return out
	}
	if len(f.list) == 0 {
		return out
	}
	fault, ok := f.take(CallReport, ss.account.id)
	if !ok {
		return out
	}
	switch fault.Do {
	case Drop:
		if !ss.ack {
			ss.account.ack(ss.device.Platform, r.number)
		}
		return nil
	case Duplicate:
		return append(out, out[0])
	case Reorder:
		ss.held = &out[0]
		time.AfterFunc(reorderPause, ss.notify)
		ss.heldAt = time.Now()
		return nil
	case Delay:
		out[0].delay = fault.Delay
	}
	return out
}

// late is a report that was put behind the next, when there was none for a
// while. The caller holds the lock.
func (f *Faults) late(ss *session) []handout {
	if ss.held == nil || time.Since(ss.heldAt) < reorderPause {
		return nil
	}
	out := []handout{*ss.held}
	ss.held = nil
	return out
}

// Kick signs an account out of all its devices, as an administrator does. A
// session that is in touch is told; a device that is not learns of it at its
// next login, which ends with 6208 (any device where none is signed in).
func (f *Faults) Kick(user tim.UserID) error {
	s := f.s
	s.mu.Lock()
	b, err := f.kick(user)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return b.wait(context.Background(), "kick")
}

func (f *Faults) kick(user tim.UserID) (*batch, error) {
	const op = "kick"
	s := f.s
	if !validUser(user) || !s.exists(user) {
		return nil, refuse(op, tim.CodeSvrAccountNotFound, "the account %q does not exist", user)
	}
	if err := s.usable(op); err != nil {
		return nil, err
	}
	b := s.settled()
	a := s.st.accounts[user]
	var devices []device
	sessions := 0
	if a != nil {
		devices = slices.Clone(a.devices)
		for _, ss := range a.sessions {
			sessions++
			devices = removeDevice(devices, ss.device)
			if ss.away {
				ss.over, ss.client.kicked = true, true
				delete(a.sessions, ss.device.Platform)
			} else {
				ss.kick()
			}
			ss.unwatchAll()
			if ss.device.ID != "" {
				_, b = s.write(&logoutRecord{user: user, device: ss.device})
			}
		}
		s.presenceChanged(a)
	}
	if sessions == 0 && len(devices) == 0 {
		devices = []device{{Any: true}}
	}
	for _, d := range devices {
		_, b = s.write(&kickRecord{user: user, device: d})
	}
	return b, nil
}

// ExpireUserSig ends the UserSigs of an account before their time. Sessions
// are told and can do nothing until a new one is handed in. At a login all
// UserSigs issued in an earlier second are refused with 70001.
func (f *Faults) ExpireUserSig(user tim.UserID) error {
	const op = "expire usersig"
	s := f.s
	s.mu.Lock()
	if err := s.usable(op); err != nil {
		s.mu.Unlock()
		return err
	}
	if !validUser(user) || !s.exists(user) {
		s.mu.Unlock()
		return refuse(op, tim.CodeSvrAccountNotFound, "the account %q does not exist", user)
	}
	_, b := s.write(&expireRecord{user: user, before: s.opts.Now().Unix()})
	for _, ss := range s.st.accounts[user].sessions {
		if !ss.expired {
			ss.expire()
		}
	}
	s.mu.Unlock()
	return b.wait(context.Background(), op)
}

// Tell hands the sessions of an account that are in touch a callback as a later
// version of the service may have it: what it is called, and its arguments as a
// JSON object. It returns how many were told.
func (f *Faults) Tell(user tim.UserID, callback string, args json.RawMessage) (int, error) {
	if callback == "" || !json.Valid(args) {
		return 0, fmt.Errorf("sandbox: a callback has a name, and its arguments as JSON")
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	told := 0
	if a := f.s.st.accounts[user]; a != nil {
		for _, ss := range a.sessions {
			if !ss.away && !ss.over {
				ss.tell(tim.Unrecognized{Name: callback, Raw: slices.Clone(args)})
				told++
			}
		}
	}
	return told, nil
}

// Disconnect cuts an account's connections. Those over the network break
// without a word, and it is the client's to make new ones. A session in this
// process is told that it is disconnected, its calls fail with 9508 and its
// reports wait, until Reconnect, or by itself after a time that is not zero.
// It returns how many it cut.
func (f *Faults) Disconnect(user tim.UserID, after time.Duration) int {
	s := f.s
	s.mu.Lock()
	cut := 0
	if a := s.st.accounts[user]; a != nil {
		for _, ss := range a.sessions {
			if ss.client.remote || ss.away {
				continue
			}
			ss.away = true
			ss.tell(tim.ConnectionChanged{Status: tim.NetworkDisconnected, Code: tim.CodeSDKNetDisconnect, Desc: "cut off by request"})
			cut++
		}
		s.presenceChanged(a)
	}
	if cut > 0 && after > 0 {
		f.comes[user] = time.Now().Add(after)
	}
	handlers := slices.Collect(maps.Keys(s.handlers))
	s.mu.Unlock()
	for _, h := range handlers {
		cut += h.wire.Disconnect(user)
	}
	return cut
}

// Reconnect ends a Disconnect for the sessions in this process. One that was
// kicked meanwhile is told so.
func (f *Faults) Reconnect(user tim.UserID) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.reconnect(user)
}

func (f *Faults) reconnect(user tim.UserID) {
	delete(f.comes, user)
	for c := range f.s.clients {
		ss := c.session
		if ss == nil || !ss.away || ss.account.id != user {
			continue
		}
		ss.away = false
		ss.tell(tim.ConnectionChanged{Status: tim.NetworkConnected})
		if ss.over {
			c.kicked = false
			ss.tell(tim.KickedOffline{})
		}
		f.s.presenceChanged(ss.account)
	}
}

// tick reconnects who is due, by the real clock. The caller holds the lock.
func (f *Faults) tick() {
	for user, at := range f.comes {
		if !time.Now().Before(at) {
			f.reconnect(user)
		}
	}
}
