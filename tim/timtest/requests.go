package timtest

import (
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

var requestCases = []testCase{
	{"to join, accepted and refused", 0, requestJoin},
	{"to bring others in, accepted and refused", 0, requestInvite},
	{"to come in, to who is invited", needLimited, requestInvitee},
	{"who decides", 0, requestWho},
	{"is decided on once", 0, requestOnce},
	{"made again takes the first one's place", 0, requestAgain},
	{"accepted into a full group", 0, requestFull},
	{"are listed in pages, newest first", 0, requestPages},
}

// pending are the requests of a group that a device is shown, newest first.
func (d *device) pending(group tim.GroupID) (list []tim.GroupPendency) {
	d.s.Helper()
	option := tim.GroupPendencyOption{MaxLimited: 2}
	for {
		page, err := d.groups().Requests(d.s.ctx(), option)
		if err != nil {
			d.s.Fatalf("%s lists requests: %v", d.user, err)
		}
		for _, p := range page.Pendencies {
			if p.GroupID == group {
				list = append(list, p)
			}
		}
		if option.StartTime = page.NextStartTime; option.StartTime == 0 {
			return list
		}
	}
}

// decide decides on the newest request for a user.
func (d *device) decide(group tim.GroupID, user tim.UserID, accept bool, word string) {
	d.s.Helper()
	list := d.pending(group)
	i := slices.IndexFunc(list, func(p tim.GroupPendency) bool { return p.ToIdentifier == user && p.Handled == tim.PendencyNotHandle })
	if i < 0 {
		d.s.Fatalf("%s is shown no request for %s: %+v", d.user, user, list)
	}
	if err := d.handle(list[i], accept, word); err != nil {
		d.s.Fatalf("%s decides on %+v: %v", d.user, list[i], err)
	}
}

func (d *device) handle(p tim.GroupPendency, accept bool, word string) error {
	return d.groups().HandleRequest(d.s.ctx(), tim.GroupHandlePendencyParam{IsAccept: accept, HandleMsg: word, Pendency: p})
}

func (d *device) join(group tim.GroupID, hello string) {
	d.s.Helper()
	if err := d.groups().JoinGroup(d.s.ctx(), group, hello); err != nil {
		d.s.Fatalf("%s joins: %v", d.user, err)
	}
}

func requestJoin(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupPublic)
	c.outsider.join(id, "let me in")
	for _, d := range []*device{c.owner, c.admin} {
		if r := d.groupReport(id, tim.GroupReportAddRequest); r.OpUser != c.outsider.user || r.Msg != "let me in" {
			s.Errorf("%s is asked by %+v", d.user, r)
		}
	}
	c.outsider.notIn(id)
	c.admin.decide(id, c.outsider.user, false, "no")
	if r := c.outsider.groupReport(id, tim.GroupReportAddRefuse); r.OpUser != c.admin.user || r.Msg != "no" {
		s.Errorf("the refusal is %+v", r)
	}
	c.outsider.notIn(id)
	c.outsider.join(id, "please")
	c.owner.decide(id, c.outsider.user, true, "come")
	if r := c.outsider.groupReport(id, tim.GroupReportAddAccept); r.OpUser != c.owner.user || r.Msg != "come" {
		s.Errorf("the acceptance is %+v", r)
	}
	c.outsider.say(tim.Group(id), "thank you")
	c.member.text(tim.Group(id), "thank you")
	c.member.fence()
	if n := c.member.count(func(m tim.Message) bool {
		r, ok := only[tim.GroupReportElem](m)
		return ok && r.ReportType == tim.GroupReportAddRequest
	}); n != 0 {
		s.Error("an ordinary member was asked")
	}
}

func requestInvite(s *scene) {
	c := s.cast()
	one, two := s.signIn("one"), s.user("two")
	asks := tim.GroupAddAuth
	id := c.room(tim.GroupPublic, func(p *tim.CreateGroupParam) { p.ApproveOption = &asks })
	results, err := c.member.invite(id, one.user, two)
	if err != nil || results[one.user] != tim.MemberInvited || results[two] != tim.MemberInvited {
		s.Fatalf("the results are %v, %v", results, err)
	}
	if r := c.admin.groupReport(id, tim.GroupReportInviteReqToAdmin); r.OpUser != c.member.user || r.UserData != "come in" {
		s.Errorf("the administrator is asked by %+v", r)
	}
	one.notIn(id)
	c.admin.decide(id, one.user, true, "fine")
	if r := c.member.groupReport(id, tim.GroupReportInviteAccept); r.OpUser != c.admin.user {
		s.Errorf("the acceptance is %+v", r)
	}
	if r := one.groupReport(id, tim.GroupReportInvite); r.OpUser != c.member.user {
		s.Errorf("who was brought in is told %+v", r)
	}
	c.owner.tip(id, tim.GroupTipInvite, c.member.user, one.user)
	one.say(tim.Group(id), "hello")
	c.owner.decide(id, two, false, "not two")
	if r := c.member.groupReport(id, tim.GroupReportInviteRefuse); r.OpUser != c.owner.user || r.Msg != "not two" {
		s.Errorf("the refusal is %+v", r)
	}
	if role := c.owner.roleOf(id, two); role != tim.RoleNone {
		s.Errorf("who was refused is %v", role)
	}
}

func requestInvitee(s *scene) {
	l := s.limited(Limits{AskInvitees: []tim.UserID{s.user("asked")}})
	alice, asked, plain, mallory := l.signIn("alice"), l.signIn("asked"), l.signIn("plain"), l.signIn("mallory")
	id := alice.create(tim.GroupCommunity)
	for _, accept := range []bool{false, true} {
		results, err := alice.invite(id, asked.user, plain.user)
		if err != nil || results[asked.user] != tim.MemberInvited || results[plain.user] == tim.MemberInvited {
			s.Fatalf("the results are %v, %v", results, err)
		}
		if r := asked.groupReport(id, tim.GroupReportInviteReqToInvitee); r.OpUser != alice.user || r.UserData != "come in" {
			s.Errorf("the invitee is asked by %+v", r)
		}
		asked.notIn(id)
		list := asked.pending(id)
		if len(list) == 0 || list[0].PendencyType != tim.PendencyInviteNeedApprovedByInvitee || list[0].FromIdentifier != alice.user || list[0].ToIdentifier != asked.user {
			s.Fatalf("the invitee is shown %+v", list)
		}
		if list := alice.pending(id); len(list) != 0 {
			s.Errorf("the owner is shown %+v", list)
		}
		for _, d := range []*device{alice, mallory} {
			s.refused(string(d.user)+" decides for another", d.handle(list[0], true, ""), deny)
		}
		asked.decide(id, asked.user, accept, "well")
		s.refused("decide again", asked.handle(list[0], accept, ""), tim.CodeSvrGroupReqAlreadyBeenProcessed)
		want := tim.GroupReportInviteRefuse
		if accept {
			want = tim.GroupReportInviteAccept
		}
		if r := alice.groupReport(id, want); r.OpUser != asked.user || r.Msg != "well" {
			s.Errorf("the answer is %+v", r)
		}
	}
	alice.tip(id, tim.GroupTipInvite, alice.user, asked.user)
	asked.say(tim.Group(id), "hello")
}

func requestWho(s *scene) {
	c := s.cast()
	guest := s.signIn("guest")
	c.rights("decide", []rights{
		{tim.GroupPublic, may, may, deny, deny, may},
	}, func(d *device, group tim.GroupID) error {
		guest.join(group, "")
		return d.handle(c.owner.pending(group)[0], true, "")
	})
	id := c.room(tim.GroupPublic)
	guest.join(id, "")
	for _, d := range []*device{c.member, c.outsider} {
		if list := d.pending(id); len(list) != 0 {
			s.Errorf("%s is shown %+v", d.user, list)
		}
	}
}

func requestOnce(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupPublic)
	c.outsider.join(id, "")
	p := c.admin.pending(id)[0]
	if p.FromIdentifier != c.outsider.user || p.ToIdentifier != c.outsider.user || p.PendencyType != tim.PendencyJoinNeedApprovedByAdmin ||
		p.Handled != tim.PendencyNotHandle || p.AddTime == 0 || p.SelfIdentifier != c.admin.user {
		s.Errorf("the request is %+v", p)
	}
	if err := c.owner.handle(p, true, "yes"); err != nil {
		s.Fatal(err)
	}
	s.refused("decide again", c.admin.handle(p, false, ""), tim.CodeSvrGroupReqAlreadyBeenProcessed)
	for d, want := range map[*device]tim.GroupPendencyHandle{c.owner: tim.PendencyOperatorHandle, c.admin: tim.PendencyOtherHandle} {
		if got := d.pending(id)[0]; got.Handled != want || got.HandleResult != tim.PendencyAccept || got.ApprovalMsg != "yes" {
			s.Errorf("%s is shown %+v", d.user, got)
		}
	}
	p.Key = "0"
	s.refused("a request that never was", c.admin.handle(p, true, ""), bad)
}

func requestAgain(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupPublic)
	c.outsider.join(id, "first")
	c.outsider.join(id, "second")
	if list := c.owner.pending(id); len(list) != 1 || list[0].ApplyInviteMsg != "second" {
		s.Errorf("the owner is shown %+v", list)
	}
}

func requestFull(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupPublic, func(p *tim.CreateGroupParam) { p.MaxMemberCount = 4 })
	guest := s.signIn("guest")
	c.outsider.join(id, "")
	guest.join(id, "")
	c.owner.decide(id, guest.user, true, "")
	s.refused("accept into a full group", c.owner.handle(c.owner.pending(id)[1], true, ""), tim.CodeSvrGroupFullMemberCount)
}

func requestPages(s *scene) {
	c := s.cast()
	asks := tim.GroupAddAuth
	id := c.room(tim.GroupPublic, func(p *tim.CreateGroupParam) { p.ApproveOption = &asks })
	var want []tim.UserID
	for i := range 7 {
		user := s.user(fmt.Sprint("guest", i))
		if _, err := c.member.invite(id, user); err != nil {
			s.Fatal(err)
		}
		want = append([]tim.UserID{user}, want...)
	}
	var got []tim.UserID
	for _, p := range c.owner.pending(id) { // two at a time
		got = append(got, p.ToIdentifier)
	}
	if !slices.Equal(got, want) {
		s.Errorf("the requests are for %q, want %q", got, want)
	}
	page, err := c.owner.groups().Requests(s.ctx(), tim.GroupPendencyOption{MaxLimited: 2})
	if err != nil || len(page.Pendencies) != 2 || page.UnReadNum != 7 {
		s.Errorf("a page is %+v, %v", page, err)
	}
}
