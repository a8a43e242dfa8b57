package bridge

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/tim"
)

// TestPublicURL: the URLs of files in the sandbox begin as the configuration
// says, whatever the first client came by.
func TestPublicURL(t *testing.T) {
	for name, public := range map[string]string{"set": "https://im.example/files", "not set": ""} {
		t.Run(name, func(t *testing.T) {
			cfg := newConfig(t)
			cfg.App.Driver.Key, cfg.App.Driver.Token = config.NewSecret(testKey), config.NewSecret(testToken)
			cfg.App.Driver.PublicURL = public
			s, err := StartSandbox(t.Context(), cfg, SandboxOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			cfg.App.Driver.URL = s.URL()
			driver, key, err := OpenDriver(cfg, nil)
			if err != nil {
				t.Fatal(err)
			}
			c, err := driver.Open(t.Context(), tim.Config{SDKAppID: cfg.App.SDKAppID})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}()
			if err := c.Login(t.Context(), testUser, tim.SignUserSig(cfg.App.SDKAppID, key, testUser, time.Hour, time.Now())); err != nil {
				t.Fatal(err)
			}
			up, err := c.(tim.Uploader).Upload(t.Context(), "a.txt", 4, bytes.NewReader([]byte("text")))
			if err != nil {
				t.Fatal(err)
			}
			if public != "" {
				if !strings.HasPrefix(up.URL, public+"/media/") {
					t.Errorf("the URL is %q, it is to begin with %q", up.URL, public)
				}
			} else if got := download(t, up.URL); got != "text" {
				t.Errorf("%s holds %q", up.URL, got)
			}
		})
	}
}

// TestLimitsOfTheConfiguration: the limits of an edition of the service, and
// who is asked before coming into a group, are settings of the sandbox that a
// configuration starts.
func TestLimitsOfTheConfiguration(t *testing.T) {
	cfg := newConfig(t)
	cfg.App.Driver.Key, cfg.App.Driver.Token = config.NewSecret(testKey), config.NewSecret(testToken)
	d := &cfg.App.Driver
	d.MaxGroups, d.MaxAVChatRooms, d.MaxJoinedGroups, d.MaxCallsPerSecond, d.RateLimits = 4, 1, 3, 20, true
	d.AskInvitees = []string{"carol"}
	s, err := StartSandbox(t.Context(), cfg, SandboxOptions{})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	d.URL = s.URL()
	driver, key, err := OpenDriver(cfg, nil)
	must(t, err)
	person := func(user tim.UserID) tim.Client {
		c, err := driver.Open(t.Context(), tim.Config{SDKAppID: cfg.App.SDKAppID})
		must(t, err)
		t.Cleanup(func() { must(t, c.Close()) })
		must(t, c.Login(t.Context(), user, tim.SignUserSig(cfg.App.SDKAppID, key, user, time.Hour, time.Now())))
		return c
	}
	alice, bob := person("alice"), person("bob")
	create := func(c tim.Client, typ tim.GroupType) (tim.GroupID, tim.Code) {
		made, err := c.CreateGroup(t.Context(), tim.CreateGroupParam{GroupName: "x", GroupType: typ})
		return made.GroupID, tim.CodeOf(err)
	}
	id, _ := create(alice, tim.GroupCommunity)
	for _, want := range []struct {
		by   tim.Client
		typ  tim.GroupType
		code tim.Code
	}{
		{alice, tim.GroupAVChatRoom, tim.CodeOK},
		{alice, tim.GroupAVChatRoom, tim.CodeSvrGroupAVChatRoomCountLimit},
		{alice, tim.GroupPublic, tim.CodeOK},
		{alice, tim.GroupPublic, tim.CodeSvrGroupCountLimit},
		{bob, tim.GroupPublic, tim.CodeOK},
		{bob, tim.GroupPublic, tim.CodeSvrGroupTrialCountLimit},
	} {
		if _, code := create(want.by, want.typ); code != want.code {
			t.Errorf("a %v group: %d, want %d", want.typ, code, want.code)
		}
	}
	results, err := alice.InviteMembers(t.Context(), tim.GroupInviteMemberParam{GroupID: id, Identifiers: []tim.UserID{"carol", "bob"}})
	if err != nil || len(results) != 2 || results[0].Result != tim.MemberInvited || results[1].Result != tim.MemberDone {
		t.Errorf("invited: %v, %v", results, err)
	}
	for range 1000 { // more than any machine does in a tenth of a second
		if _, err = alice.(tim.Groups).JoinedGroups(t.Context()); err != nil {
			break
		}
	}
	if tim.CodeOf(err) != tim.CodeSDKCommAPICallFrequencyLimit {
		t.Errorf("too many calls: %v", err)
	}
}
