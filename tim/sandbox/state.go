package sandbox

import (
	"math/rand/v2"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// state is everything the service knows. It changes only by apply, one record
// at a time; the sandbox's lock guards it. Applying the same records to the
// same state gives the same state, which is how it comes back after a restart.
type state struct {
	limits Limits

	lastTime int64  // nanoseconds; time never steps back here
	lastTiny uint64 // the number of the last account
	accounts map[tim.UserID]*account
	convs    map[convKey]*conversation
	groups   map[tim.GroupID]*group

	// kept is the conversation of every message that is kept, oldest first:
	// the front's oldest message is the next to go.
	kept   []*conversation
	bytes  int64 // of those messages
	resent resends
	recent recent
	library

	rounds uint64 // snapshots begun

	// replaying is true while the journal is read back: nobody is online.
	replaying bool
	// touched are the sessions that have something new, since it was last emptied.
	touched []*session
}

func newState(limits Limits) *state {
	return &state{
		limits:   limits,
		accounts: map[tim.UserID]*account{},
		convs:    map[convKey]*conversation{},
		groups:   map[tim.GroupID]*group{},
		resent:   resends{results: map[resendKey]resend{}},
	}
}

// apply changes the state. position is the record's place in the journal. It
// gives the message that was posted, where one was.
func (st *state) apply(position uint64, r record) *message {
	switch r := r.(type) {
	case applier:
		r.apply(st, position)
	case *sendRecord:
		return st.applySend(position, r)
	case *revokeRecord:
		st.applyRevoke(position, r)
	case *loginRecord:
		a := st.account(r.user)
		a.signIn(r.device.Platform)
		a.devices = slices.DeleteFunc(a.devices, func(d device) bool { return d.Platform == r.device.Platform })
		for _, d := range r.kicked {
			a.kicked = addDevice(a.kicked, d)
		}
		if r.device.ID != "" {
			a.devices = addDevice(a.devices, r.device)
		}
		st.clock(r.time)
	case *logoutRecord:
		a := st.account(r.user)
		a.devices = removeDevice(a.devices, r.device)
	case *kickRecord:
		a := st.account(r.user)
		a.devices = removeDevice(a.devices, r.device)
		if r.clear {
			a.kicked = removeDevice(a.kicked, r.device)
		} else {
			a.kicked = addDevice(a.kicked, r.device)
		}
	case *expireRecord:
		a := st.account(r.user)
		a.sigFloor = max(a.sigFloor, r.before)
	case *ackRecord:
		a := st.account(r.user)
		for _, run := range r.runs {
			for i := a.index(run.first); i < len(a.inbox) && a.inbox[i].number <= run.last; i++ {
				a.drop(i, bit(r.platform))
			}
		}
		a.tidy()
	}
	return nil
}

// clock is the time that something happened at: t, or just after what happened
// last where the clock stood still or stepped back. Times tell the order.
func (st *state) clock(t int64) int64 {
	st.lastTime = max(st.lastTime+1, t)
	return st.lastTime
}

// account finds an account, or makes it.
func (st *state) account(user tim.UserID) *account {
	a := st.accounts[user]
	if a == nil {
		st.lastTiny++
		a = &account{id: user, tiny: st.lastTiny, convs: map[*conversation]struct{}{}}
		st.accounts[user] = a
	}
	return a
}

// conversation finds a conversation, or makes it.
func (st *state) conversation(key convKey) *conversation {
	c := st.convs[key]
	if c == nil {
		c = &conversation{key: key}
		st.convs[key] = c
	}
	return c
}

// tell puts a report into an account's inbox, for some of its platforms.
func (st *state) tell(a *account, position uint64, kind reportKind, m *message, platforms uint16) {
	if platforms == 0 {
		return
	}
	if st.replaying && m.is(flagOnline) {
		a.number++ // the number was used; nobody of then is online now
		return
	}
	a.tell(report{position: position, time: st.lastTime, kind: kind, msg: m}, platforms)
	a.trim(st.limits.Reports, st.oldestReport(st.lastTime))
	st.touch(a)
}

func (st *state) touch(a *account) {
	for _, s := range a.sessions {
		if !s.touched {
			s.touched = true
			st.touched = append(st.touched, s)
		}
	}
}

// oldestReport is the time before which reports are dropped.
func (st *state) oldestReport(now int64) int64 {
	if st.limits.ReportTime == 0 {
		return 0
	}
	return now - int64(st.limits.ReportTime)
}

// keep takes a message into its conversation, and lets the oldest ones go.
func (st *state) keep(m *message) {
	m.conv.add(m)
	st.kept = append(st.kept, m.conv)
	st.bytes += m.size()
	st.trim(st.lastTime)
}

// trim lets go of messages that are too many, too large together, or too old.
func (st *state) trim(now int64) {
	for len(st.kept) > 0 {
		c := st.kept[0]
		l := &st.limits
		if (l.HistoryMessages == 0 || len(st.kept) <= l.HistoryMessages) &&
			(l.HistoryBytes == 0 || st.bytes <= l.HistoryBytes) &&
			(l.HistoryTime == 0 || c.msgs[0].time >= now-int64(l.HistoryTime)) {
			return
		}
		st.bytes -= c.dropFirst()
		st.kept[0] = nil
		st.kept = st.kept[1:]
	}
	st.kept = nil
}

func (st *state) applySend(position uint64, r *sendRecord) *message {
	now := st.clock(r.time)
	c := st.conversation(r.conv)
	sender := st.account(r.sender)
	m := &message{
		conv: c, sender: r.sender, tiny: sender.tiny, platform: r.platform,
		time: now, rand: r.rand, content: r.content,
	}
	m.flags = r.flags
	g := st.groups[tim.GroupID(r.conv.a)]
	switch {
	case r.online:
		m.flags |= flagOnline
		st.resent.add(resendKey{c, sender, r.rand}, m)
		for _, t := range r.targets {
			st.tell(st.account(t.user), position, reportMessage, m, t.platforms)
		}
		if r.conv.typ == tim.ConvGroup && g != nil && len(r.targets) == 0 {
			st.pushMembers(g, sender.sessions[r.platform], live{position: position, msg: m})
		}
		return m
	case r.conv.typ == tim.ConvGroup && g != nil && !ruleTable.history.of(g.typ):
		st.resent.add(resendKey{c, sender, r.rand}, m)
		st.pushMembers(g, sender.sessions[r.platform], live{position: position, msg: m})
		return m
	}
	c.seq++
	m.seq = c.seq
	st.expectReceipts(m)
	st.keep(m)
	st.resent.add(resendKey{c, sender, r.rand}, m)
	sender.convs[c] = struct{}{}
	st.tell(sender, position, reportMessage, m, sender.platforms()&^(bit(r.platform)|anyPlatform))
	if r.conv.typ == tim.ConvC2C {
		if peer := st.account(tim.UserID(r.conv.seenBy(r.sender))); peer != sender {
			peer.convs[c] = struct{}{}
			st.tell(peer, position, reportMessage, m, peer.platforms())
		}
		return m
	}
	if g == nil {
		return m // lost in a repair
	}
	if !g.active && r.sender == g.owner {
		st.activate(position, g)
	}
	for _, member := range g.members.order {
		if member.id != r.sender {
			st.tellMember(position, g, member, m)
		}
	}
	return m
}

func (st *state) applyRevoke(position uint64, r *revokeRecord) {
	st.clock(r.time)
	c := st.conversation(r.conv)
	old := c.find(r.seq)
	if old == nil {
		return // let go of while the journal was read back with other limits
	}
	m := old.revoked(r.by, r.reason)
	c.replace(m)
	if r.conv.typ == tim.ConvC2C {
		for _, user := range slices.Compact([]string{r.conv.a, r.conv.b}) {
			a := st.account(tim.UserID(user))
			st.tell(a, position, reportRevoked, m, a.platforms())
		}
		return
	}
	g := st.groups[tim.GroupID(r.conv.a)]
	if g == nil {
		return // lost in a repair
	}
	for _, member := range g.members.order {
		if g.sees(member.id) && member.from <= r.seq {
			st.tell(member.account, position, reportRevoked, m, member.account.platforms())
		}
	}
}

// randoms gives the randoms of what one record makes the service say; the same
// again when the record is read back.
type randoms struct{ src *rand.PCG }

func newRandoms(seed uint64) *randoms { return &randoms{rand.NewPCG(seed, seed>>1)} }

func (r *randoms) next() uint64 { return r.src.Uint64()>>33 + 1 }
