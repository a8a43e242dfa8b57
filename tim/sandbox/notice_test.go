package sandbox_test

import (
	"testing"

	"github.com/timbridge/timbridge/tim"
)

// noticeOf is what a report tells of the application's own.
func noticeOf(r tim.Report) string {
	m := messageOf(r)
	if len(m.Elems) == 0 {
		return ""
	}
	e, ok := m.Elems[0].(tim.GroupReportElem)
	if !ok || e.ReportType != tim.GroupReportUserDefine {
		return ""
	}
	return string(e.GroupID) + ": " + e.UserData
}

// TestNotifyGroup: an application's own notice reaches the members that it is
// for, where they are online, and nobody later.
func TestNotifyGroup(t *testing.T) {
	w := open(t, options())
	ann, ben := w.signIn("ann"), w.signIn("ben")
	team := ann.create(tim.CreateGroupParam{GroupID: "team", GroupType: tim.GroupPublic, Members: members("ben", "cid")})
	room := ann.create(tim.CreateGroupParam{GroupID: "room", GroupType: tim.GroupAVChatRoom})
	hear := func(d *device, want string) {
		t.Helper()
		d.wait(want, func(r tim.Report) bool { return noticeOf(r) == want })
	}
	notify := func(group tim.GroupID, content string, users ...tim.UserID) {
		t.Helper()
		if err := w.NotifyGroup(ctx(t), group, content, users...); err != nil {
			t.Fatal(err)
		}
	}
	notify(team, "to all")
	hear(ann, "team: to all")
	hear(ben, "team: to all")
	notify(team, "to ben", "ben", "cid")
	notify(room, "to the room", "ben")
	hear(ben, "team: to ben")
	hear(ann, "room: to the room")
	cid := w.signIn("cid")
	notify(team, "last")
	hear(cid, "team: last")
	for d, most := range map[*device]int{ann: 3, ben: 3, cid: 1} {
		n := 0
		for _, r := range d.reports() {
			if noticeOf(r) != "" {
				n++
			}
		}
		if n > most {
			t.Errorf("%s was told %d notices", d.user, n)
		}
	}

	for what, c := range map[string]struct {
		group   tim.GroupID
		content string
		users   []tim.UserID
		code    tim.Code
	}{
		"no such group":      {"none", "x", nil, tim.CodeSvrGroupNotFound},
		"nothing to say":     {team, "", nil, tim.CodeSvrGroupInvalidParameters},
		"somebody else":      {team, "x", []tim.UserID{"eve"}, tim.CodeSvrGroupInvalidParameters},
		"too many at a time": {team, "x", make([]tim.UserID, 501), tim.CodeSvrGroupAccountCountLimit},
	} {
		wantCode(t, what, w.NotifyGroup(ctx(t), c.group, c.content, c.users...), c.code)
	}
}
