package sandbox

import (
	"context"
	mathrand "math/rand/v2"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// maxNoticeUsers is to how many members one notice goes that is not for all.
const maxNoticeUsers = 500

// noticeRecord is a notice of the application's own to members of a group.
type noticeRecord struct {
	group   tim.GroupID
	users   []tim.UserID // nobody: all
	content string
	time    int64
	seed    uint64
}

func (*noticeRecord) op() byte { return opGroupNotice }

func (r *noticeRecord) put(e *encoder) {
	putString(e, r.group)
	putStrings(e, r.users)
	putString(e, r.content)
	e.time(r.time)
	e.uint(r.seed)
}

func (r *noticeRecord) apply(st *state, position uint64) {
	h := st.in(position, r.group, r.time, r.seed)
	if h == nil {
		return
	}
	m := h.message(tim.GroupReportElem{ReportType: tim.GroupReportUserDefine, UserData: r.content})
	tell := func(member *member) {
		if member != nil && h.g.sees(member.id) {
			st.push(member.account, nil, live{position: position, msg: m})
		}
	}
	for _, user := range r.users {
		tell(h.g.members.get(user))
	}
	if len(r.users) == 0 {
		for _, member := range h.g.members.order {
			tell(member)
		}
	}
}

// NotifyGroup tells members of a group something of the application's own, as
// its servers do with send_group_system_notification: a group report of the
// type [tim.GroupReportUserDefine], for those online alone. No users: all
// members, of an AVChatRoom always all.
func (s *Sandbox) NotifyGroup(ctx context.Context, group tim.GroupID, content string, users ...tim.UserID) error {
	const op = "notify group"
	s.mu.Lock()
	b, err := s.notifyGroup(op, group, content, users)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return b.wait(ctx, op)
}

func (s *Sandbox) notifyGroup(op string, group tim.GroupID, content string, users []tim.UserID) (*batch, error) {
	if err := s.usable(op); err != nil {
		return nil, err
	}
	g, err := s.group(op, group)
	switch {
	case err != nil:
		return nil, err
	case content == "" || len(content) > maxElemBytes:
		return nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "the notice has %d bytes; it can have 1 to %d", len(content), maxElemBytes)
	case len(users) > maxNoticeUsers:
		return nil, refuse(op, tim.CodeSvrGroupAccountCountLimit, "%d users at once; %d can be", len(users), maxNoticeUsers)
	case g.typ == tim.GroupAVChatRoom:
		users = nil
	}
	for _, user := range users {
		if g.members.get(user) == nil {
			return nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "%q is not a member of the group", user)
		}
	}
	_, b := s.write(&noticeRecord{group: g.id, users: slices.Clone(users), content: content, time: s.now(), seed: mathrand.Uint64()})
	return b, nil
}
