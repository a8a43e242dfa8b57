package timtest

import (
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// What the members of a group are told of it: which tips are stored as its
// messages, which are brought to those online alone, and which there are not;
// and the reports to those concerned.
var tipCases = []testCase{
	{"who came and went", 0, tipMembers},
	{"what changed of the profile", 0, tipProfile},
	{"administrators and mutes", 0, tipRoles},
	{"nobody is told that all are muted, or how users come in", 0, tipSettings},
	{"reports to those concerned", 0, tipReports},
}

// telling is what becomes of a tip.
type telling int

const (
	untold telling = iota
	pushed         // to those online alone
	stored         // as a message of the group, too
)

var (
	tipTypes    = []tim.GroupType{tim.GroupPrivate, tim.GroupPublic, tim.GroupChatRoom, tim.GroupAVChatRoom, tim.GroupCommunity}
	aboutMember = map[tim.GroupType]telling{tim.GroupPrivate: stored, tim.GroupPublic: stored, tim.GroupChatRoom: untold, tim.GroupAVChatRoom: pushed, tim.GroupCommunity: stored}
	aboutGroup  = map[tim.GroupType]telling{tim.GroupPrivate: stored, tim.GroupPublic: stored, tim.GroupChatRoom: stored, tim.GroupAVChatRoom: pushed, tim.GroupCommunity: stored}
	aboutRoles  = map[tim.GroupType]telling{tim.GroupPublic: stored, tim.GroupChatRoom: untold, tim.GroupAVChatRoom: untold, tim.GroupCommunity: stored}
)

// told checks what became of a tip in the eyes of one who was online.
func (d *device) toldTip(label string, group tim.GroupID, how telling, fits func(tim.GroupTipsElem) bool) (tip tim.GroupTipsElem) {
	d.s.Helper()
	d.fence()
	messages := d.count(func(m tim.Message) bool {
		e, ok := only[tim.GroupTipsElem](m)
		return ok && e.GroupID == group && fits(e) && m.Seq > 0 && m.Conversation() == tim.Group(group)
	})
	events := 0
	d.mu.Lock()
	for _, it := range d.items {
		if e, ok := it.report.Event.(tim.GroupTipped); ok && e.Tip.GroupID == group && fits(e.Tip) {
			events++
			tip = e.Tip
		}
	}
	d.mu.Unlock()
	want := map[telling][2]int{untold: {0, 0}, pushed: {0, 1}, stored: {1, 1}}[how]
	if got := [2]int{messages, events}; got != want {
		d.s.Errorf("%s: %s was told by %d messages and %d callbacks, want %v", label, d.user, messages, events, want)
	}
	return tip
}

func tipMembers(s *scene) {
	c := s.cast()
	guest := s.signIn("guest")
	for _, typ := range tipTypes {
		id := c.room(typ)
		label := func(what string) string { return fmt.Sprintf("%s %v", what, typ) }
		how := aboutMember[typ]
		in := func(join tim.GroupJoinType) func(tim.GroupTipsElem) bool {
			return func(e tim.GroupTipsElem) bool {
				return e.TipType == tim.GroupTipInvite && e.JoinType == join && slices.Equal(e.Users, []tim.UserID{guest.user})
			}
		}
		if typ == tim.GroupPrivate {
			if _, err := c.member.invite(id, guest.user); err != nil {
				s.Fatalf("invite: %v", err)
			}
			tip := c.owner.toldTip(label("invited into"), id, how, in(tim.GroupJoinInvite))
			if tip.OpUser != c.member.user || tip.MemberNum != 4 {
				s.Errorf("the tip is %+v", tip)
			}
		} else {
			if err := guest.groups().JoinGroup(s.ctx(), id, ""); err != nil {
				s.Fatalf("join: %v", err)
			}
			if typ == tim.GroupPublic {
				c.owner.decide(id, guest.user, true, "")
			}
			c.owner.toldTip(label("joined"), id, how, in(tim.GroupJoinApply))
		}
		if err := guest.groups().QuitGroup(s.ctx(), id); err != nil {
			s.Fatalf("quit: %v", err)
		}
		c.owner.toldTip(label("left"), id, how, func(e tim.GroupTipsElem) bool {
			return e.TipType == tim.GroupTipQuit && e.OpUser == guest.user
		})
		if typ == tim.GroupAVChatRoom {
			continue
		}
		if err := c.owner.kick(id, c.member.user); err != nil {
			s.Fatalf("remove: %v", err)
		}
		c.owner.toldTip(label("removed from"), id, how, func(e tim.GroupTipsElem) bool {
			return e.TipType == tim.GroupTipKick && e.OpUser == c.owner.user && slices.Equal(e.Users, []tim.UserID{c.member.user})
		})
	}
}

func tipProfile(s *scene) {
	c := s.cast()
	for _, typ := range tipTypes {
		id := c.room(typ)
		change := func(flag tim.GroupTipGroupChangeFlag, key, value string) func(tim.GroupTipsElem) bool {
			return func(e tim.GroupTipsElem) bool {
				return e.TipType == tim.GroupTipGroupInfoChange && e.OpUser == c.owner.user &&
					slices.ContainsFunc(e.GroupChangeInfo, func(i tim.GroupTipGroupChangeInfo) bool {
						return i.Flag == flag && i.Key == key && i.Value == value
					})
			}
		}
		err := c.owner.groups().ModifyGroup(s.ctx(), tim.GroupModifyInfoParam{
			GroupID: id, GroupName: "new name", Introduction: "new introduction", Notification: "new notification", FaceURL: "new face",
			CustomInfo: []tim.GroupInfoCustomString{{Key: "k", Value: "new value"}},
			ModifyFlag: tim.ModifyGroupName | tim.ModifyGroupIntroduction | tim.ModifyGroupNotification | tim.ModifyGroupFaceURL | tim.ModifyGroupCustom,
		})
		if err != nil {
			s.Fatalf("change %v: %v", typ, err)
		}
		for _, x := range []struct {
			flag       tim.GroupTipGroupChangeFlag
			key, value string
		}{
			{tim.GroupChangeName, "", "new name"}, {tim.GroupChangeIntroduction, "", "new introduction"},
			{tim.GroupChangeNotification, "", "new notification"}, {tim.GroupChangeFaceURL, "", "new face"},
			{tim.GroupChangeCustom, "k", "new value"},
		} {
			c.member.toldTip(fmt.Sprintf("%v of %v", x.flag, typ), id, aboutGroup[typ], change(x.flag, x.key, x.value))
		}
		if err := c.owner.rename(id, "new name"); err != nil {
			s.Errorf("the same name again: %v", err)
		}
		c.member.toldTip("what is not different is not told", id, aboutGroup[typ], change(tim.GroupChangeName, "", "new name"))
		if typ == tim.GroupAVChatRoom {
			continue
		}
		if err := c.owner.transfer(id, c.admin.user); err != nil {
			s.Fatalf("transfer %v: %v", typ, err)
		}
		c.member.toldTip(fmt.Sprintf("the new owner of %v", typ), id, aboutGroup[typ], change(tim.GroupChangeOwner, "", string(c.admin.user)))
	}
}

func tipRoles(s *scene) {
	c := s.cast()
	for typ, how := range aboutRoles {
		id := c.room(typ)
		about := func(tip tim.GroupTipType) func(tim.GroupTipsElem) bool {
			return func(e tim.GroupTipsElem) bool {
				return e.TipType == tip && e.OpUser == c.owner.user && slices.Equal(e.Users, []tim.UserID{c.member.user})
			}
		}
		for _, x := range []struct {
			role   tim.GroupMemberRole
			tip    tim.GroupTipType
			report tim.GroupReportType
		}{{tim.RoleAdmin, tim.GroupTipSetAdmin, tim.GroupReportGrantAdmin}, {tim.RoleMember, tim.GroupTipCancelAdmin, tim.GroupReportCancelAdmin}} {
			if err := c.owner.setRole(id, c.member.user, x.role); err != nil {
				s.Fatalf("make a member of %v %v: %v", typ, x.role, err)
			}
			c.admin.toldTip(fmt.Sprintf("%v in %v", x.tip, typ), id, how, about(x.tip))
			if r := c.member.groupReport(id, x.report); r.OpUser != c.owner.user {
				s.Errorf("the report of %v is %+v", x.tip, r)
			}
		}
		if err := c.owner.mute(id, c.member.user, 60); err != nil {
			s.Fatalf("mute in %v: %v", typ, err)
		}
		c.admin.toldTip(fmt.Sprintf("muted in %v", typ), id, how, func(e tim.GroupTipsElem) bool {
			return about(tim.GroupTipMemberInfoChange)(e) && len(e.MemberChangeInfo) == 1 &&
				e.MemberChangeInfo[0].Identifier == c.member.user && e.MemberChangeInfo[0].ShutupTime == 60
		})
		if r := c.member.groupReport(id, tim.GroupReportShutUpMember); r.ShutUpTime != 60 || r.OpUser != c.owner.user {
			s.Errorf("the report of the mute is %+v", r)
		}
	}
}

func tipSettings(s *scene) {
	c := s.cast()
	for _, typ := range []tim.GroupType{tim.GroupPublic, tim.GroupChatRoom, tim.GroupAVChatRoom} {
		id := c.room(typ)
		err := c.owner.groups().ModifyGroup(s.ctx(), tim.GroupModifyInfoParam{
			GroupID: id, ModifyFlag: tim.ModifyGroupShutupAll | tim.ModifyGroupAddOption, IsShutupAll: true, AddOption: tim.GroupAddForbid,
		})
		if err != nil {
			s.Fatalf("change %v: %v", typ, err)
		}
		c.member.toldTip("settings of "+typ.String(), id, untold, func(e tim.GroupTipsElem) bool { return e.TipType == tim.GroupTipGroupInfoChange })
	}
}

func tipReports(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupPublic)
	if r := c.owner.groupReport(id, tim.GroupReportCreate); r.OpUser != c.owner.user || r.GroupName != "room" {
		s.Errorf("created: %+v", r)
	}
	for _, d := range []*device{c.admin, c.member} {
		if r := d.groupReport(id, tim.GroupReportInvite); r.OpUser != c.owner.user {
			s.Errorf("invited: %+v", r)
		}
	}
	if err := c.member.groups().QuitGroup(s.ctx(), id); err != nil {
		s.Fatal(err)
	}
	if r := c.member.groupReport(id, tim.GroupReportQuit); r.OpUser != c.member.user {
		s.Errorf("quit: %+v", r)
	}
	if _, err := c.owner.remove(id, c.admin.user); err != nil {
		s.Fatal(err)
	}
	c.owner.fence()
	if n := c.owner.count(func(m tim.Message) bool {
		r, ok := only[tim.GroupReportElem](m)
		return ok && r.GroupID == id && r.ReportType == tim.GroupReportBeKicked
	}); n != 0 {
		s.Errorf("who removed somebody is told %d times to be removed", n)
	}
	if r := c.admin.groupReport(id, tim.GroupReportBeKicked); r.OpUser != c.owner.user || r.Msg != "go away" {
		s.Errorf("removed: %+v", r)
	}
	if err := c.owner.dismiss(id); err != nil {
		s.Fatal(err)
	}
	if r := c.owner.groupReport(id, tim.GroupReportDelete); r.OpUser != c.owner.user {
		s.Errorf("dismissed: %+v", r)
	}
}
