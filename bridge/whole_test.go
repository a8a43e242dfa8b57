package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

// clerk publishes commands and waits for what comes of them.
type clerk struct {
	t   testing.TB
	bus bus.Bus
	n   int
	// trouble is what befalls the first call for each command at the service.
	service *service
	trouble sandbox.Trouble
}

// callOf is the call that carries a command out.
var callOf = map[string]sandbox.Call{
	"message.send": sandbox.CallSend, "message.modify": sandbox.CallModifyMessage, "message.mark_read": sandbox.CallMarkRead,
	"message.send_read_receipt": sandbox.CallSendReadReceipts, "group.create": sandbox.CallCreateGroup,
	"group.modify": sandbox.CallModifyGroup, "group.transfer": sandbox.CallModifyGroup, "group.modify_member": sandbox.CallModifyMember,
	"group.join": sandbox.CallJoinGroup, "group.quit": sandbox.CallQuitGroup, "group.handle_request": sandbox.CallHandleRequest,
	"profile.modify": sandbox.CallModifyProfile, "status.set": sandbox.CallSetStatus,
}

// order publishes a command and gives its id.
func (c *clerk) order(verb string, data map[string]any) string {
	c.t.Helper()
	c.n++
	e := event.New()
	e.SetID(fmt.Sprintf("%d-%s", c.n, verb))
	e.SetSource("test")
	e.SetType("io.timbridge.command." + verb + ".v1")
	e.SetExtension("timaccount", string(testUser))
	if err := e.SetData("application/json", data); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.bus.Publish(c.t.Context(), bus.Commands, &e); err != nil {
		c.t.Fatal(err)
	}
	return e.ID()
}

// outcome waits for what came of a command.
func (c *clerk) outcome(id string) mapping.Outcome {
	c.t.Helper()
	var found mapping.Outcome
	eventually(c.t, "the outcome of "+id, func() (bool, string) {
		for _, e := range stored(c.t, c.bus, bus.Outcomes) {
			o, err := mapping.ParseOutcome(e)
			if err != nil {
				c.t.Fatal(err)
			}
			if o.Command.ID == id {
				found = o
				return true, ""
			}
		}
		return false, "it is not there"
	})
	return found
}

// done publishes a command that succeeds.
func (c *clerk) done(verb string, data map[string]any) mapping.Result {
	c.t.Helper()
	if c.trouble != "" {
		err := c.service.Faults().Add(sandbox.Fault{Call: callOf[verb], Account: testUser, Do: c.trouble, Delay: time.Millisecond, Count: 1})
		if err != nil {
			c.t.Fatal(err)
		}
	}
	o := c.outcome(c.order(verb, data))
	if c.trouble != "" && o.Attempts < 2 && !(o.Result != nil && o.Result.Settled) {
		c.t.Errorf("%s met no trouble: %+v", verb, o)
	}
	if o.Result == nil {
		c.t.Fatalf("%s: %s %+v", verb, o.Type, o.Error)
	}
	return *o.Result
}

// TestEveryCommandOverTheWholeBridge: each is carried out at the sandbox, over
// its real protocol, and what it brings about comes back as events, when the
// answer of each first call is lost, or the call itself; without trouble they
// are in [TestEveryTypeOverTheWholeBridge].
func TestEveryCommandOverTheWholeBridge(t *testing.T) {
	for name, trouble := range map[string]sandbox.Trouble{"answers lost": sandbox.DropAfter, "calls lost": sandbox.DropBefore} {
		t.Run(name, func(t *testing.T) { everyCommand(t, newConfig(t), trouble) })
	}
	t.Run("on Kafka", func(t *testing.T) { everyCommand(t, newKafkaConfig(t, newKafka(t)), sandbox.DropAfter) })
}

// whole is a bridge of which most was asked already.
type whole struct {
	r     *running
	s     *service
	c     *clerk
	alice tim.Client
	open  tim.GroupID // a Public group that anybody may join; alice's
}

func everyCommand(t *testing.T, cfg *config.Config, trouble sandbox.Trouble) *whole {
	cfg.App.Accounts = []config.Account{{ID: string(testUser), WatchStatus: []string{"alice", "nobody-yet"}}}
	s := newService(t, cfg)
	alice := s.person("alice", tim.PlatformOther)
	groups, reader := alice.(tim.Groups), alice.(tim.Reader)
	r := launch(t, cfg)
	r.awaitReady()
	r.awaitState(AccountConnected)
	c := &clerk{t: t, bus: desk(t, cfg), service: s, trouble: trouble}
	type m = map[string]any
	toAlice := m{"type": "c2c", "user_id": "alice"}
	text := func(s string) []any { return []any{m{"type": "text", "text": s}} }

	sent := c.done("message.send", m{"conversation": toAlice, "elements": text("first"), "need_read_receipt": true})
	c.done("message.modify", m{"message_id": sent.MessageID, "elements": text("second")})
	modified := awaitEvents(t, c.bus, "message.modified", 1)[0]
	if !strings.HasPrefix(modified.ID(), sent.MessageID+"/modified/") || !strings.Contains(string(modified.Data()), "second") {
		t.Errorf("%s %s", modified.ID(), modified.Data())
	}
	again := c.done("message.modify", m{"message_id": sent.MessageID, "elements": text("third")})
	if want := fmt.Sprintf("%s/modified/%d", sent.MessageID, again.Version); again.Version == 0 || awaitEvents(t, c.bus, "message.modified", 2)[1].ID() != want {
		t.Errorf("%s is not told of, or not last", want)
	}
	if err := reader.MarkRead(t.Context(), tim.C2C(testUser), nil); err != nil {
		t.Fatal(err)
	}
	read := awaitEvents(t, c.bus, "message.read", 1)[0]
	if !strings.Contains(string(read.Data()), `"reader":"alice"`) {
		t.Errorf("read: %s", read.Data())
	}
	back, err := alice.Send(t.Context(), tim.C2C(testUser), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "answer"}}, NeedReadReceipt: true})
	if err != nil {
		t.Fatal(err)
	}
	posted := awaitEvents(t, c.bus, "message.posted", 2)[1].ID()
	if want := mapping.MessageID("alice", back); posted != want {
		t.Errorf("%s, want %s", posted, want)
	}
	c.done("message.mark_read", m{"conversation": toAlice})
	c.done("message.send_read_receipt", m{"message_ids": []string{posted}})

	group := c.done("group.create", m{"group_type": "public", "name": "team", "members": []any{m{"user_id": "alice"}}}).GroupID
	c.done("group.modify", m{"group_id": group, "name": "the team", "notification": "hello"})
	c.done("group.modify_member", m{"group_id": group, "user_id": "alice", "role": "admin"})
	awaitSome := func(typ, word string) { t.Helper(); awaitSome(t, c.bus, typ, word) }
	awaitSome("group.info_changed", "the team")
	awaitSome("group.member_changed", "admin")

	// Carol asks to join, and the bridge, as the owner, lets her.
	carol := s.person("carol", tim.PlatformOther)
	if err := carol.(tim.Groups).JoinGroup(t.Context(), group, "let me in"); err != nil {
		t.Fatal(err)
	}
	awaitSome("group.join_requested", "carol")
	ask := m{"group_id": group, "user_id": "carol", "accept": true}
	c.done("group.handle_request", ask)
	if again := c.done("group.handle_request", ask); !again.Already {
		t.Errorf("once more: %+v", again)
	}
	awaitSome("group.member_joined", "carol")
	c.done("group.transfer", m{"group_id": group, "user_id": "alice"})
	if again := c.done("group.transfer", m{"group_id": group, "user_id": "alice"}); !again.Already {
		t.Errorf("once more: %+v", again)
	}
	c.done("group.quit", m{"group_id": group})
	if again := c.done("group.quit", m{"group_id": group}); !again.Already {
		t.Errorf("once more: %+v", again)
	}
	if _, err := groups.GroupsInfo(t.Context(), []tim.GroupID{group}); err != nil {
		t.Fatal(err)
	}
	// An open group is joined at once, and once.
	open, err := alice.CreateGroup(t.Context(), tim.CreateGroupParam{GroupName: "open", GroupType: tim.GroupPublic, AddOption: addAny()})
	if err != nil {
		t.Fatal(err)
	}
	c.done("group.join", m{"group_id": open.GroupID})
	// A notice of the application's own, which only those online get.
	if err := s.NotifyGroup(t.Context(), open.GroupID, "the lift is out of order"); err != nil {
		t.Fatal(err)
	}
	awaitSome("group.custom_notified", "the lift is out of order")
	if again := c.done("group.join", m{"group_id": open.GroupID}); !again.Already {
		t.Errorf("once more: %+v", again)
	}

	c.done("profile.modify", m{"nick_name": "The Bridge"})
	awaitSome("user.profile_changed", "The Bridge")
	c.done("status.set", m{"custom": "at work"})
	if err := alice.(tim.Presence).SetStatus(t.Context(), "at lunch"); err != nil {
		t.Fatal(err)
	}
	awaitSome("user.status_changed", "at lunch")
	// Who did not exist when the account signed in is watched once there.
	nobody := s.person("nobody-yet", tim.PlatformOther)
	eventually(t, "the status of who came later", func() (bool, string) {
		if err := nobody.(tim.Presence).SetStatus(t.Context(), fmt.Sprint("here since ", time.Now().UnixNano())); err != nil {
			t.Fatal(err)
		}
		for _, e := range ofType(stored(t, c.bus, bus.Events), "user.status_changed") {
			if e.Subject() == mapping.AccountSubject("nobody-yet") {
				return true, ""
			}
		}
		return false, "none"
	})
	if got := ofType(stored(t, c.bus, bus.Events), "im.unrecognized"); len(got) > 0 {
		t.Errorf("not understood: %v", got)
	}
	return &whole{r: r, s: s, c: c, alice: alice, open: open.GroupID}
}

// awaitSome waits until there is an event of a type with a word in its data.
func awaitSome(t testing.TB, b bus.Bus, typ, word string) {
	t.Helper()
	eventually(t, typ+" with "+word, func() (bool, string) {
		all := ofType(stored(t, b, bus.Events), typ)
		for _, e := range all {
			if strings.Contains(string(e.Data()), word) {
				return true, ""
			}
		}
		return false, fmt.Sprint(all)
	})
}

func addAny() *tim.GroupAddOption {
	any := tim.GroupAddAny
	return &any
}

// TestFilesOverTheWholeBridge: a file that a command names by its address, or
// brings along, reaches the receiver, who can download it.
func TestFilesOverTheWholeBridge(t *testing.T) {
	cfg := newConfig(t)
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "this is %s", r.URL.Path)
	}))
	defer files.Close()
	host := strings.TrimPrefix(files.URL, "http://")
	cfg.Policy.MediaHosts, cfg.Policy.MediaPrivate = []string{host}, true
	s := newService(t, cfg)
	alice := s.person("alice", tim.PlatformOther)
	r := launch(t, cfg)
	r.awaitReady()
	c := &clerk{t: t, bus: desk(t, cfg)}
	type m = map[string]any
	toAlice := m{"type": "c2c", "user_id": "alice"}
	// A file does not arrive at the first attempt, and neither does the answer.
	for _, f := range []sandbox.Fault{{Call: sandbox.CallUpload, Do: sandbox.DropAfter}, {Call: sandbox.CallSend, Do: sandbox.DropAfter}} {
		f.Account, f.Delay, f.Count = testUser, time.Millisecond, 1
		if err := s.Faults().Add(f); err != nil {
			t.Fatal(err)
		}
	}
	c.done("message.send", m{"conversation": toAlice, "elements": []any{
		m{"type": "text", "text": "two files"},
		m{"type": "file", "name": "a.txt", "url": files.URL + "/a.txt"},
		m{"type": "file", "name": "b.txt", "data": "c29tZSBkYXRh"},
	}})
	msgs, err := alice.(tim.History).Messages(t.Context(), tim.C2C(testUser), tim.HistoryQuery{})
	if err != nil || len(msgs) != 1 || len(msgs[0].Elems) != 3 {
		t.Fatalf("%+v, %v", msgs, err)
	}
	for i, want := range map[int]string{1: "this is /a.txt", 2: "some data"} {
		f := msgs[0].Elems[i].(tim.FileElem)
		if got := download(t, f.URL); got != want {
			t.Errorf("%s holds %q, want %q", f.FileName, got, want)
		}
	}
	var data struct {
		Elements []struct{ Type, Name, URL string }
	}
	posted := awaitEvents(t, c.bus, "message.posted", 1)[0]
	if err := json.Unmarshal(posted.Data(), &data); err != nil || len(data.Elements) != 3 || data.Elements[1].Name != "a.txt" || download(t, data.Elements[1].URL) != "this is /a.txt" {
		t.Errorf("%s, %v", posted.Data(), err)
	}
	// The text beside them is changed, and they stay.
	var said map[string]any
	if err := json.Unmarshal(posted.Data(), &said); err != nil {
		t.Fatal(err)
	}
	elements := said["elements"].([]any)
	elements[0] = m{"type": "text", "text": "two files, as said"}
	c.done("message.modify", m{"message_id": posted.ID(), "elements": elements})
	modified := awaitEvents(t, c.bus, "message.modified", 1)[0]
	if err := json.Unmarshal(modified.Data(), &data); err != nil || len(data.Elements) != 3 || download(t, data.Elements[2].URL) != "some data" ||
		!strings.Contains(string(modified.Data()), "two files, as said") {
		t.Errorf("%s, %v", modified.Data(), err)
	}
	for what, url := range map[string]string{"another host": "https://files.example/x", "another port": "http://127.0.0.1:1/x"} {
		o := c.outcome(c.order("message.send", m{"conversation": toAlice, "elements": []any{m{"type": "file", "name": "x", "url": url}}}))
		if o.Type != mapping.TypeRejected || o.Error.Code != mapping.CodeMediaNotAllowed {
			t.Errorf("%s: %s %+v", what, o.Type, o.Error)
		}
	}
	if left, err := os.ReadDir(filepath.Join(cfg.DataDir, "media")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestFilesAreSentOn: with the configuration as it is by default, by which no
// file is fetched, what somebody posted is sent on by the names that the
// service gave its files.
func TestFilesAreSentOn(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	alice := s.person("alice", tim.PlatformOther)
	r := launch(t, cfg)
	r.awaitState(AccountConnected)
	c := &clerk{t: t, bus: desk(t, cfg)}
	dir := t.TempDir()
	note, photo := filepath.Join(dir, "note.txt"), filepath.Join(dir, "photo.png")
	must(t, os.WriteFile(note, []byte("what was agreed"), 0o600))
	var pixels bytes.Buffer
	must(t, png.Encode(&pixels, image.NewGray(image.Rect(0, 0, 40, 30))))
	must(t, os.WriteFile(photo, pixels.Bytes(), 0o600))
	_, err := alice.Send(t.Context(), tim.C2C(testUser), tim.Message{Elems: []tim.Elem{
		tim.FileElem{FilePath: note, FileName: "note.txt"}, tim.ImageElem{OrigPath: photo},
		tim.SoundElem{FilePath: note, FileTime: 2}, tim.VideoElem{VideoPath: note, VideoType: "mp4", VideoDuration: 3, ImagePath: photo, ImageType: "png"},
		tim.LocationElem{Desc: "nowhere", Longitude: 300, Latitude: -91},
	}})
	must(t, err)
	var posted struct{ Elements []any }
	must(t, json.Unmarshal(awaitEvents(t, c.bus, "message.posted", 1)[0].Data(), &posted))
	c.done("message.send", map[string]any{"conversation": map[string]any{"type": "c2c", "user_id": "carol"}, "elements": posted.Elements})
	carol := s.person("carol", tim.PlatformOther)
	msgs, err := carol.(tim.History).Messages(t.Context(), tim.C2C(testUser), tim.HistoryQuery{})
	if err != nil || len(msgs) != 1 || len(msgs[0].Elems) != 5 {
		t.Fatalf("%+v, %v", msgs, err)
	}
	for i, want := range []string{"what was agreed", pixels.String(), "what was agreed", "what was agreed"} {
		var url string
		switch e := msgs[0].Elems[i].(type) {
		case tim.FileElem:
			url = e.URL
		case tim.ImageElem:
			url = e.OrigURL
		case tim.SoundElem:
			url = e.URL
		case tim.VideoElem:
			url = e.VideoURL
			if got := download(t, e.ImageURL); got != pixels.String() {
				t.Errorf("the film's first picture has %d bytes", len(got))
			}
		}
		if got := download(t, url); got != want {
			t.Errorf("element %d holds %d bytes, not %d", i, len(got), len(want))
		}
	}
	posted.Elements[0].(map[string]any)["id"] = "no-such-file"
	o := c.outcome(c.order("message.send", map[string]any{"conversation": map[string]any{"type": "c2c", "user_id": "carol"}, "elements": posted.Elements}))
	if o.Type != mapping.TypeFailed || o.Error.Number != int32(tim.CodeSDKCommFileNotFound) {
		t.Errorf("a file that the service does not have: %s %+v", o.Type, o.Error)
	}
}

func download(t testing.TB, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return string(b)
}

// TestManyConversations: the list of an account's conversations may be far
// longer than anything else that the service answers.
func TestManyConversations(t *testing.T) {
	const conversations = 3000
	cfg := newConfig(t)
	s := newService(t, cfg)
	s.stop()
	s.heartbeat = 10 * time.Second // a long answer is a long silence
	s.start()
	cfg.App.Driver.Heartbeat = config.Duration(s.heartbeat)
	phone := s.person(testUser, tim.PlatformIOS)
	long := tim.Message{Elems: []tim.Elem{tim.TextElem{Content: strings.Repeat("as long as it gets ", 100)}}}
	var users []tim.UserID
	for i := range conversations {
		users = append(users, tim.UserID(fmt.Sprintf("user%05d", i)))
	}
	for len(users) > 0 {
		n := min(100, len(users))
		if _, err := phone.(tim.BatchSender).BatchSend(t.Context(), tim.MsgBatchSendParam{Identifiers: users[:n], Msg: long}); err != nil {
			t.Fatal(err)
		}
		users = users[n:]
	}
	list, err := phone.(tim.History).Conversations(t.Context())
	if err != nil || len(list) != conversations {
		t.Fatalf("%d conversations, %v", len(list), err)
	}
	r := launch(t, cfg)
	r.awaitReady()
	r.awaitState(AccountConnected)
}
