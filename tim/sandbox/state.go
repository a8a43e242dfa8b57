package sandbox

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"

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
	case *sendRecord:
		return st.applySend(position, r)
	case *revokeRecord:
		st.applyRevoke(position, r)
	case *createRecord:
		st.applyCreate(position, r)
	case *inviteRecord:
		st.applyInvite(position, r)
	case *removeRecord:
		st.applyRemove(position, r)
	case *dismissRecord:
		st.applyDismiss(position, r)
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
	if r.online {
		m.flags |= flagOnline
		st.resent.add(resendKey{c, sender, r.rand}, m)
		for _, t := range r.targets {
			st.tell(st.account(t.user), position, reportMessage, m, t.platforms)
		}
		return m
	}
	c.seq++
	m.seq = c.seq
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
	g := st.groups[tim.GroupID(r.conv.a)]
	if g == nil {
		return m // lost in a repair
	}
	if !g.active && r.sender == g.owner {
		st.activate(position, g)
	}
	for user := range g.members {
		if user != r.sender {
			st.tellMember(position, g, user, m)
		}
	}
	return m
}

// tellMember reports a message of the group or about it, or holds it back
// until the group is active.
func (st *state) tellMember(position uint64, g *group, user tim.UserID, m *message) {
	if !g.active && user != g.owner {
		g.held = append(g.held, heldReport{user, m})
		return
	}
	a := st.account(user)
	if m.conv != nil {
		a.convs[m.conv] = struct{}{}
	}
	st.tell(a, position, reportMessage, m, a.platforms())
}

// activate makes a Private group seen by its members, with all that was held back.
func (st *state) activate(position uint64, g *group) {
	g.active = true
	held := g.held
	g.held = nil
	for _, h := range held {
		st.tellMember(position, g, h.user, h.msg)
	}
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
	for user, member := range g.members {
		if (g.active || user == g.owner) && member.from <= r.seq {
			a := st.account(user)
			st.tell(a, position, reportRevoked, m, a.platforms())
		}
	}
}

func (st *state) applyCreate(position uint64, r *createRecord) {
	now := st.clock(r.time)
	old := st.groups[r.group]
	g := &group{
		id: r.group, typ: r.typ, name: r.name, introduction: r.introduction,
		notification: r.notification, faceURL: r.faceURL, owner: r.owner, created: now,
		most: r.most, approve: r.approve, active: r.typ != tim.GroupPrivate,
		conv: st.conversation(groupKey(r.group)), members: map[tim.UserID]*member{},
	}
	if old != nil { // dismissed; its sequences go on
		g.reportSeq, g.past = old.reportSeq, old.past
	}
	st.groups[r.group] = g
	rng := newRandoms(r.seed)
	st.join(g, now, r.owner, tim.RoleOwner)
	st.account(r.owner).convs[g.conv] = struct{}{}
	st.groupReport(position, g, now, rng.next(), []tim.UserID{r.owner}, tim.GroupReportElem{
		ReportType: tim.GroupReportCreate, OpUser: r.owner,
	})
	if len(r.members) == 0 {
		return
	}
	users := make([]tim.UserID, 0, len(r.members))
	for _, m := range r.members {
		st.join(g, now, m.user, m.role)
		users = append(users, m.user)
	}
	st.joined(position, g, now, rng, r.owner, users, "")
}

func (st *state) join(g *group, now int64, user tim.UserID, role tim.GroupMemberRole) {
	st.account(user)
	g.members[user] = &member{role: role, joined: now, from: g.conv.seq + 1}
}

// joined tells everybody who came into the group.
func (st *state) joined(position uint64, g *group, now int64, rng *randoms, by tim.UserID, users []tim.UserID, userData string) {
	st.tip(position, g, now, rng.next(), tim.GroupTipsElem{
		TipType: tim.GroupTipInvite, JoinType: tim.GroupJoinInvite, OpUser: by, Users: users,
		ChangedGroupMemberInfo: g.infos(users),
	})
	st.groupReport(position, g, now, rng.next(), withOperator(users, by), tim.GroupReportElem{
		ReportType: tim.GroupReportInvite, OpUser: by, UserData: userData,
	})
}

func (st *state) applyInvite(position uint64, r *inviteRecord) {
	now := st.clock(r.time)
	g := st.groups[r.group]
	if g == nil {
		return // lost in a repair
	}
	for _, user := range r.users {
		st.join(g, now, user, tim.RoleMember)
	}
	st.joined(position, g, now, newRandoms(r.seed), r.by, r.users, r.userData)
}

func (st *state) applyRemove(position uint64, r *removeRecord) {
	now := st.clock(r.time)
	g := st.groups[r.group]
	if g == nil {
		return // lost in a repair
	}
	rng := newRandoms(r.seed)
	infos := g.infos(r.users)
	told := []tim.UserID{r.by}
	for _, user := range r.users {
		if g.active && user != r.by {
			told = append(told, user)
		}
		g.leave(user)
	}
	st.tip(position, g, now, rng.next(), tim.GroupTipsElem{
		TipType: tim.GroupTipKick, OpUser: r.by, Users: r.users, ChangedGroupMemberInfo: infos,
	})
	report := st.reportMessage(g, now, rng.next(), tim.GroupReportElem{
		ReportType: tim.GroupReportBeKicked, OpUser: r.by, Msg: r.reason,
	})
	for _, user := range told {
		a := st.account(user)
		st.tell(a, position, reportMessage, report, a.platforms())
	}
}

func (st *state) applyDismiss(position uint64, r *dismissRecord) {
	now := st.clock(r.time)
	g := st.groups[r.group]
	if g == nil {
		return // lost in a repair
	}
	told := []tim.UserID{r.by}
	for user := range g.members {
		if user != r.by && (g.active || user == g.owner) {
			told = append(told, user)
		}
	}
	report := st.reportMessage(g, now, newRandoms(r.seed).next(), tim.GroupReportElem{
		ReportType: tim.GroupReportDelete, OpUser: r.by,
	})
	for user := range g.members {
		g.leave(user)
	}
	g.dismissed, g.held = true, nil
	for _, user := range told {
		a := st.account(user)
		st.tell(a, position, reportMessage, report, a.platforms())
	}
}

// tip stores what happened in a group as a message of it, and tells its members.
func (st *state) tip(position uint64, g *group, now int64, rand uint64, elem tim.GroupTipsElem) {
	elem.GroupID, elem.GroupName = g.id, g.name
	elem.Time, elem.MemberNum = uint64(now/int64(time.Second)), uint64(len(g.members))
	elem.OpUserInfo = &tim.UserProfile{Identifier: elem.OpUser}
	op := g.info(elem.OpUser)
	elem.OpGroupMemberInfo = &op
	g.conv.seq++
	m := serviceMessage(now, g.conv.seq, rand, elem)
	m.conv, m.flags = g.conv, flagTip
	st.keep(m)
	for user := range g.members {
		st.tellMember(position, g, user, m)
	}
}

// groupReport tells some users what concerns them in a group.
func (st *state) groupReport(position uint64, g *group, now int64, rand uint64, users []tim.UserID, elem tim.GroupReportElem) {
	m := st.reportMessage(g, now, rand, elem)
	for _, user := range users {
		st.tellMember(position, g, user, m)
	}
}

func (st *state) reportMessage(g *group, now int64, rand uint64, elem tim.GroupReportElem) *message {
	elem.GroupID, elem.GroupName = g.id, g.name
	elem.OpUserInfo = &tim.UserProfile{Identifier: elem.OpUser}
	op := g.info(elem.OpUser)
	elem.OpGroupMemberInfo = &op
	g.reportSeq++
	return serviceMessage(now, g.reportSeq, rand, elem)
}

// serviceMessage is a message of the service itself.
func serviceMessage(now int64, seq, rand uint64, elem tim.Elem) *message {
	content, err := json.Marshal(tim.Message{Elems: []tim.Elem{elem}})
	if err != nil {
		panic("sandbox: an element of the service's own cannot be written: " + err.Error())
	}
	return &message{sender: tim.SystemUser, time: now, seq: seq, rand: rand, content: content}
}

// withOperator are the users, and who did it to them, each once.
func withOperator(users []tim.UserID, by tim.UserID) []tim.UserID {
	if slices.Contains(users, by) {
		return users
	}
	return append(users[:len(users):len(users)], by)
}

// randoms gives the randoms of what one record makes the service say; the same
// again when the record is read back.
type randoms struct{ src *rand.PCG }

func newRandoms(seed uint64) *randoms { return &randoms{rand.NewPCG(seed, seed>>1)} }

func (r *randoms) next() uint64 { return r.src.Uint64()>>33 + 1 }
