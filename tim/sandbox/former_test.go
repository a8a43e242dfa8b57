package sandbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

// TestFormerVersion opens what the version before this one wrote, which knew
// groups of two types: its snapshot and the journal after it, and the whole
// journal alone. It goes on as if nothing had changed.
func TestFormerVersion(t *testing.T) {
	for _, from := range []string{"snapshot", "journal"} {
		t.Run(from, func(t *testing.T) {
			dir := t.TempDir()
			copyFiles(t, "testdata/former", dir)
			if from == "journal" {
				snaps, err := filepath.Glob(filepath.Join(dir, "*.snap"))
				if err != nil || len(snaps) != 1 {
					t.Fatal(snaps, err)
				}
				if err := os.Remove(snaps[0]); err != nil {
					t.Fatal(err)
				}
			}
			w := openIn(t, dir, options(newClock().option))
			for range 2 {
				checkFormer(t, w)
				snapshot(w)
				w.reopen()
			}
		})
	}
}

func checkFormer(t *testing.T, w *world) {
	t.Helper()
	alice := w.signIn("alice")
	defer alice.Close()
	var groups []string
	joined, err := alice.groups().JoinedGroups(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range joined {
		groups = append(groups, fmt.Sprint(g.GroupID, " ", g.GroupType, " ", g.SelfInfo.Role))
	}
	slices.Sort(groups)
	if got := strings.Join(groups, ", "); got != "team public owner, work private owner" {
		t.Errorf("alice is in %s", got)
	}
	for group, want := range map[tim.GroupID]string{"team": "alice owner, bob member", "work": "alice owner, bob member, erin member"} {
		page, err := alice.groups().Members(ctx(t), tim.GroupGetMemberInfoListParam{GroupID: group})
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, m := range page.Infos {
			list = append(list, fmt.Sprint(m.Identifier, " ", m.MemberRole))
		}
		slices.Sort(list)
		if got := strings.Join(list, ", "); got != want {
			t.Errorf("in %s are %s, want %s", group, got, want)
		}
	}
	infos, err := alice.groups().GroupsInfo(ctx(t), []tim.GroupID{"team", "work", "late"})
	if err != nil {
		t.Fatal(err)
	}
	if team := infos[0].Info; team.AddOption != tim.GroupAddAuth || team.ApproveOption != tim.GroupAddForbid || team.NextMsgSeq != 4 {
		t.Errorf("the Public group is %+v", team)
	}
	if work := infos[1].Info; work.AddOption != tim.GroupAddForbid || work.ApproveOption != tim.GroupAddAny {
		t.Errorf("the Private group is %+v", work)
	}
	if infos[2].Code != tim.CodeSvrGroupNotFound {
		t.Errorf("the dismissed group is %+v", infos[2])
	}
	dave := w.client("dave")
	dave.keep = true
	dave.login()
	defer dave.Close()
	dave.message("for later")
	dave.message("last")
	if got := dave.reports(); got[0].Number != 1 || got[1].Number != 2 {
		t.Errorf("dave was told %s", describe(got))
	}
	bob := w.client("bob")
	bob.keep = true
	bob.login()
	defer bob.Close()
	bob.groupReport(tim.GroupReportDelete)
	var got []string
	for _, r := range bob.reports() {
		got = append(got, fmt.Sprint(r.Number, " ", say("bob", r.Event)))
	}
	want := []string{
		"7 group/late 1 tip invite by alice of [bob]", "8 report invite late 2", "9 group/work 3 tip invite by alice of [erin]",
		"10 group/team 3 tip kick by alice of [carol]", "11 group/late 2 alice: after the snapshot", "12 report delete late 3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("bob was told %q, want %q", got, want)
	}
	if n := len(bob.history(tim.Group("team"))); n != 3 {
		t.Errorf("bob reads %d messages of the Public group", n)
	}
}
