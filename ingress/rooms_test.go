package ingress

import (
	"testing"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// TestRooms tells which groups are taken for ones of which nothing is stored.
func TestRooms(t *testing.T) {
	app := mapping.Observation{App: testApp, Account: "bridge"}
	said := func(group string, seq uint64) tim.Message {
		return tim.Message{
			ConvType: tim.ConvGroup, ConvID: group, Sender: "alice", Seq: seq, Rand: 7, ServerTime: 1_800_000_000,
			Elems: []tim.Elem{tim.TextElem{Content: "hello"}},
		}
	}
	report := func(kind tim.GroupReportType) tim.Message {
		return tim.Message{
			ConvType: tim.ConvSystem, ConvID: string(tim.SystemUser), Seq: 3, Rand: 9, ServerTime: 1_800_000_001,
			Elems: []tim.Elem{tim.GroupReportElem{ReportType: kind, GroupID: "show", OpUser: "bridge"}},
		}
	}
	tip := tim.GroupTipsElem{TipType: tim.GroupTipInvite, JoinType: tim.GroupJoinApply, GroupID: "show", OpUser: "bridge", Time: 1_800_000_000}
	fromMessage := func(m tim.Message) []mapping.Fact {
		facts, err := mapping.FromMessage(app, m)
		if err != nil {
			t.Fatal(err)
		}
		return facts
	}
	fromTip := func() []mapping.Fact {
		facts, err := mapping.FromGroupTip(app, tip)
		if err != nil {
			t.Fatal(err)
		}
		return facts
	}
	for _, c := range []struct {
		name  string
		facts [][]mapping.Fact
		want  int
	}{
		{"nothing was said", nil, 0},
		{"something without a sequence", [][]mapping.Fact{fromMessage(said("show", 0))}, 1},
		{"a tip by its callback", [][]mapping.Fact{fromTip()}, 1},
		{"something with a sequence", [][]mapping.Fact{fromMessage(said("show", 4))}, 0},
		{"both", [][]mapping.Fact{fromMessage(said("show", 0)), fromMessage(said("show", 4))}, 0},
		{"the account has left", [][]mapping.Fact{fromTip(), fromMessage(report(tim.GroupReportQuit))}, 0},
		{"it was dismissed", [][]mapping.Fact{fromTip(), fromMessage(report(tim.GroupReportDelete))}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSeen(1000)
			for _, facts := range c.facts {
				for _, f := range facts {
					n, err := noteOfEvent(f.Event, f.Key)
					if err != nil {
						t.Fatal(err)
					}
					s.apply(s.position+1, 1_800_000_002, &n)
				}
			}
			if got := s.roomsOf("bridge"); len(got) != c.want {
				t.Errorf("%d rooms, not %d: %v", len(got), c.want, got)
			}
			if got := s.roomsOf("somebody"); len(got) != 0 {
				t.Errorf("rooms of another account: %v", got)
			}
		})
	}
}
