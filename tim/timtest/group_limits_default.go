package timtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/timbridge/timbridge/tim"
)

func limitCalls(s *scene) {
	l := s.limited(Limits{Calls: 5})
	alice := l.signIn("alice")
	look := func() error {
		_, err := alice.groups().JoinedGroups(s.ctx())
		return err
	}
	var err error
	for range 200 { // more than any machine does in a tenth of a second
		if err = look(); err != nil {
			break
		}
	}
	s.refused("too many calls", err, tim.CodeSDKCommAPICallFrequencyLimit)
	if e, ok := tim.AsError(err); ok && (!e.Retryable() || e.RetryAfter <= 0) {
		s.Errorf("retry %v after %v", e.Retryable(), e.RetryAfter)
	}
	if _, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{GroupName: "x"}); err != nil {
		s.Errorf("a call of another kind: %v", err)
	}
	l.h.Advance(time.Second)
	if err := look(); err != nil {
		s.Errorf("a second later: %v", err)
	}
}

// limitDefaults: 2000 members, 100,000 of a Community, and 40 messages a second
// in one group.
func limitDefaults(s *scene) {
	l := s.limited(Limits{})
	alice := l.signIn("alice")
	for typ, most := range map[tim.GroupType]uint32{
		tim.GroupPrivate: 2000, tim.GroupPublic: 2000, tim.GroupChatRoom: 2000, tim.GroupCommunity: 100_000,
	} {
		create := func(n uint32) error {
			_, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{GroupName: "x", GroupType: typ, MaxMemberCount: n})
			return err
		}
		if err := create(most); err != nil {
			s.Errorf("a %v group for %d: %v", typ, most, err)
		}
		s.refused(fmt.Sprintf("a %v group for %d", typ, most+1), create(most+1), tim.CodeSvrGroupMemberCountLimit)
	}

	const rate = 40
	conv := tim.Group(alice.create(tim.GroupPublic))
	l.h.Advance(time.Minute)
	begin, taken := time.Now(), 0
	var err error
	for ; taken < 10*rate && err == nil; taken++ {
		_, err = alice.client.Send(s.ctx(), conv, textMessage("x"))
	}
	took := time.Since(begin)
	if err != nil { // else this machine is too slow to say so much
		taken--
		s.refused("too many a second", err, tim.CodeSvrGroupSendMsgFreqLimit)
	}
	if most := rate + int(took.Seconds()*rate) + 2; taken < rate || taken > most {
		s.Errorf("%d messages were taken in %v; it is 40 at once and 40 a second: at most %d", taken, took, most)
	}
}

// limitRetention: what is older than seven days is not read back, but for the
// last message of a conversation.
func limitRetention(s *scene) {
	l := s.limited(Limits{})
	const day = 24 * time.Hour
	alice, bob := l.open("alice"), l.open("bob")
	for _, d := range []*device{alice, bob} {
		if err := d.client.Login(s.ctx(), d.user, l.h.UserSig(d.user, 30*day)); err != nil {
			s.Fatal(err)
		}
	}
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), tim.Group(alice.create(tim.GroupPublic, bob))} {
		read := func() (texts []string) {
			list, err := bob.history().Messages(s.ctx(), inEyesOf(conv, alice, bob), tim.HistoryQuery{})
			if err != nil {
				s.Fatalf("history: %v", err)
			}
			for _, m := range list {
				if text := textOf(m); text != "" {
					texts = append(texts, text)
				}
			}
			return texts
		}
		alice.say(conv, "first")
		alice.say(conv, "second")
		l.h.Advance(6*day + 23*time.Hour)
		alice.say(conv, "third")
		if got := read(); !slices.Equal(got, []string{"third", "second", "first"}) {
			s.Errorf("within seven days: %q", got)
		}
		l.h.Advance(2 * time.Hour)
		alice.say(conv, "fourth")
		if got := read(); !slices.Equal(got, []string{"fourth", "third"}) {
			s.Errorf("after seven days: %q", got)
		}
	}
}

// inEyesOf is a conversation of one user as another sees it.
func inEyesOf(conv tim.Conversation, one, other *device) tim.Conversation {
	if conv == tim.C2C(other.user) {
		return tim.C2C(one.user)
	}
	return conv
}
