package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// farTalk has every optional interface but those of farResender and farHistory.
// It notes what it is asked.
type farTalk struct {
	mu   sync.Mutex
	said []string
	err  error
}

// note says which call it was, with its arguments as JSON.
func (f *farTalk) note(call string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range args {
		b, err := json.Marshal(a)
		if err != nil {
			return err
		}
		call += " " + string(b)
	}
	f.said = append(f.said, call)
	return f.err
}

func (f *farTalk) take() (said []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	said, f.said = f.said, nil
	return said
}

func (f *farTalk) ModifyMessage(_ context.Context, m tim.Message) (tim.Message, error) {
	err := f.note("ModifyMessage", m)
	m.Version++
	return m, err
}

func (f *farTalk) DeleteMessages(_ context.Context, c tim.Conversation, l []tim.MsgLocator) error {
	return f.note("DeleteMessages", c, l)
}
func (f *farTalk) ClearHistory(_ context.Context, c tim.Conversation) error {
	return f.note("ClearHistory", c)
}
func (f *farTalk) DeleteConversation(_ context.Context, c tim.Conversation) error {
	return f.note("DeleteConversation", c)
}
func (f *farTalk) MarkRead(_ context.Context, c tim.Conversation, m *tim.Message) error {
	return f.note("MarkRead", c, m)
}
func (f *farTalk) SendReadReceipts(_ context.Context, m []tim.Message) error {
	return f.note("SendReadReceipts", m)
}
func (f *farTalk) ReadReceipts(_ context.Context, m []tim.Message) ([]tim.MessageReceipt, error) {
	return []tim.MessageReceipt{{ConvID: "g", ConvType: tim.ConvGroup, ReadCount: 3}}, f.note("ReadReceipts", m)
}
func (f *farTalk) BatchSend(_ context.Context, p tim.MsgBatchSendParam) ([]tim.MsgBatchSendResult, error) {
	return []tim.MsgBatchSendResult{{Identifier: "bob", Msg: &p.Msg}}, f.note("BatchSend", p)
}
func (f *farTalk) JoinGroup(_ context.Context, g tim.GroupID, hello string) error {
	return f.note("JoinGroup", g, hello)
}
func (f *farTalk) QuitGroup(_ context.Context, g tim.GroupID) error { return f.note("QuitGroup", g) }
func (f *farTalk) JoinedGroups(context.Context) ([]tim.GroupBaseInfo, error) {
	return []tim.GroupBaseInfo{{GroupID: "g"}}, f.note("JoinedGroups")
}
func (f *farTalk) GroupsInfo(_ context.Context, g []tim.GroupID) ([]tim.GetGroupInfoResult, error) {
	return []tim.GetGroupInfoResult{{Info: &tim.GroupDetailInfo{GroupID: "g"}}}, f.note("GroupsInfo", g)
}
func (f *farTalk) ModifyGroup(_ context.Context, p tim.GroupModifyInfoParam) error {
	return f.note("ModifyGroup", p)
}
func (f *farTalk) Members(_ context.Context, p tim.GroupGetMemberInfoListParam) (tim.GroupGetMemberInfoListResult, error) {
	return tim.GroupGetMemberInfoListResult{NextSeq: 7}, f.note("Members", p)
}
func (f *farTalk) ModifyMember(_ context.Context, p tim.GroupModifyMemberInfoParam) error {
	return f.note("ModifyMember", p)
}
func (f *farTalk) Requests(_ context.Context, o tim.GroupPendencyOption) (tim.GroupPendencyResult, error) {
	return tim.GroupPendencyResult{UnReadNum: 5}, f.note("Requests", o)
}
func (f *farTalk) HandleRequest(_ context.Context, p tim.GroupHandlePendencyParam) error {
	return f.note("HandleRequest", p)
}
func (f *farTalk) Profiles(_ context.Context, u []tim.UserID) ([]tim.UserProfile, error) {
	return []tim.UserProfile{{Identifier: "bob", NickName: "Bob"}}, f.note("Profiles", u)
}
func (f *farTalk) ModifyProfile(_ context.Context, i tim.UserProfileItem) error {
	return f.note("ModifyProfile", i)
}
func (f *farTalk) Statuses(_ context.Context, u []tim.UserID) ([]tim.UserStatus, error) {
	return []tim.UserStatus{{Identifier: "bob", StatusType: tim.UserStatusOnline}}, f.note("Statuses", u)
}
func (f *farTalk) SetStatus(_ context.Context, custom string) error {
	return f.note("SetStatus", custom)
}
func (f *farTalk) SubscribeStatus(_ context.Context, u []tim.UserID) error {
	return f.note("SubscribeStatus", u)
}
func (f *farTalk) UnsubscribeStatus(_ context.Context, u []tim.UserID) error {
	return f.note("UnsubscribeStatus", u)
}

// farUploader takes files.
type farUploader struct {
	mu    sync.Mutex
	files map[string][]byte
	err   error
	hold  chan struct{} // not nil: reading waits for it
}

func (f *farUploader) Upload(ctx context.Context, name string, size int64, r io.Reader) (tim.Upload, error) {
	if f.err != nil {
		return tim.Upload{}, f.err
	}
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return tim.Upload{}, ctx.Err()
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return tim.Upload{}, err
	}
	if int64(len(b)) != size {
		return tim.Upload{}, &tim.Error{Op: "upload", Code: tim.CodeFileTransUploadFailed, Effect: tim.EffectNotDone, Err: io.ErrUnexpectedEOF}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files == nil {
		f.files = map[string][]byte{}
	}
	f.files[name] = b
	return tim.Upload{ID: "id of " + name, URL: "http://here/" + name, Size: size}, nil
}

func (f *farUploader) file(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.files[name]
}

// whole is a client with every optional interface.
type whole struct {
	*farClient
	farResender
	farHistory
	*farTalk
	*farUploader
}

// newWholeRig is a rig whose clients can do everything.
func newWholeRig(t testing.TB, opts HandlerOptions) (*rig, *farTalk, *farUploader) {
	r := newRig(t, opts)
	talk, up := &farTalk{}, &farUploader{}
	r.far.dress = func(c *farClient) tim.Client { return whole{c, farResender{}, farHistory{}, talk, up} }
	return r, talk, up
}

func TestCapabilitySets(t *testing.T) {
	everything := []string{
		capResender, capHistory, capModifier, capEraser, capReader, capBatchSender, capGroups, capProfiles, capPresence, capUploader,
	}
	seven := everything[2:9]
	tests := []struct {
		name string
		far  func(*farClient) tim.Client
		want []string
	}{
		{"everything", func(c *farClient) tim.Client {
			return whole{c, farResender{}, farHistory{}, &farTalk{}, &farUploader{}}
		}, everything},
		{"a library", func(c *farClient) tim.Client {
			return struct {
				*farClient
				farHistory
				*farTalk
			}{c, farHistory{}, &farTalk{}}
		}, append([]string{capHistory}, seven...)},
		{"the core", func(c *farClient) tim.Client { return c }, nil},
		{"some of it", func(c *farClient) tim.Client {
			return struct {
				*farClient
				farHistory
				tim.Modifier
			}{c, farHistory{}, &farTalk{}}
		}, []string{capHistory}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, HandlerOptions{})
			r.far.dress = test.far
			if got := capabilitiesOf(r.open()); !slices.Equal(got, test.want) {
				t.Errorf("the client has %v, want %v", got, test.want)
			}
		})
	}
}

// keeper is a client of which it is known whether its reports are kept.
type keeper struct {
	*farClient
	keeps bool
}

func (k keeper) Redelivers() bool { return k.keeps }

// TestRedeliversIsTheServers: whether reports are kept is what the client behind
// the server says, and of one that says nothing they are not.
func TestRedeliversIsTheServers(t *testing.T) {
	for name, test := range map[string]struct {
		dress func(c *farClient) tim.Client
		want  bool
	}{
		"kept":         {func(c *farClient) tim.Client { return keeper{c, true} }, true},
		"forgotten":    {func(c *farClient) tim.Client { return keeper{c, false} }, false},
		"nobody knows": {func(c *farClient) tim.Client { return c }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, HandlerOptions{})
			r.far.dress = test.dress
			if got := r.open().(tim.Redeliverer).Redelivers(); got != test.want {
				t.Errorf("Redelivers: %v", got)
			}
		})
	}
}

// TestEveryOperation: arguments and results of each are the same on both sides,
// and so is an error.
func TestEveryOperation(t *testing.T) {
	r, far, _ := newWholeRig(t, HandlerOptions{})
	near := &farTalk{}
	c := r.open()
	ctx := within(t, 20*time.Second)
	msg := tim.Message{ConvID: "g", ConvType: tim.ConvGroup, Seq: 4, Version: 2, Elems: []tim.Elem{tim.TextElem{Content: "x\n"}}}
	nick := "Néw"
	calls := map[string]func(client any) (any, error){
		"ModifyMessage": func(c any) (any, error) { return c.(tim.Modifier).ModifyMessage(ctx, msg) },
		"DeleteMessages": func(c any) (any, error) {
			return nil, c.(tim.Eraser).DeleteMessages(ctx, tim.Group("g"), []tim.MsgLocator{{Seq: 4, Time: 9}})
		},
		"ClearHistory":       func(c any) (any, error) { return nil, c.(tim.Eraser).ClearHistory(ctx, tim.C2C("bob")) },
		"DeleteConversation": func(c any) (any, error) { return nil, c.(tim.Eraser).DeleteConversation(ctx, tim.C2C("bob")) },
		"MarkRead":           func(c any) (any, error) { return nil, c.(tim.Reader).MarkRead(ctx, tim.Group("g"), &msg) },
		"MarkRead all":       func(c any) (any, error) { return nil, c.(tim.Reader).MarkRead(ctx, tim.C2C("bob"), nil) },
		"SendReadReceipts":   func(c any) (any, error) { return nil, c.(tim.Reader).SendReadReceipts(ctx, []tim.Message{msg}) },
		"ReadReceipts":       func(c any) (any, error) { return c.(tim.Reader).ReadReceipts(ctx, []tim.Message{msg, msg}) },
		"BatchSend": func(c any) (any, error) {
			return c.(tim.BatchSender).BatchSend(ctx, tim.MsgBatchSendParam{Identifiers: []tim.UserID{"bob", "eve"}, Msg: msg})
		},
		"JoinGroup":    func(c any) (any, error) { return nil, c.(tim.Groups).JoinGroup(ctx, "g", "hello") },
		"QuitGroup":    func(c any) (any, error) { return nil, c.(tim.Groups).QuitGroup(ctx, "g") },
		"JoinedGroups": func(c any) (any, error) { return c.(tim.Groups).JoinedGroups(ctx) },
		"GroupsInfo":   func(c any) (any, error) { return c.(tim.Groups).GroupsInfo(ctx, []tim.GroupID{"g", "h"}) },
		"ModifyGroup": func(c any) (any, error) {
			return nil, c.(tim.Groups).ModifyGroup(ctx, tim.GroupModifyInfoParam{GroupID: "g", ModifyFlag: tim.ModifyGroupName, GroupName: "n"})
		},
		"Members": func(c any) (any, error) {
			return c.(tim.Groups).Members(ctx, tim.GroupGetMemberInfoListParam{GroupID: "g"})
		},
		"ModifyMember": func(c any) (any, error) {
			return nil, c.(tim.Groups).ModifyMember(ctx, tim.GroupModifyMemberInfoParam{GroupID: "g", Identifier: "bob"})
		},
		"Requests": func(c any) (any, error) { return c.(tim.Groups).Requests(ctx, tim.GroupPendencyOption{}) },
		"HandleRequest": func(c any) (any, error) {
			return nil, c.(tim.Groups).HandleRequest(ctx, tim.GroupHandlePendencyParam{IsAccept: true})
		},
		"Profiles": func(c any) (any, error) { return c.(tim.Profiles).Profiles(ctx, []tim.UserID{"bob"}) },
		"ModifyProfile": func(c any) (any, error) {
			return nil, c.(tim.Profiles).ModifyProfile(ctx, tim.UserProfileItem{NickName: &nick})
		},
		"Statuses":          func(c any) (any, error) { return c.(tim.Presence).Statuses(ctx, []tim.UserID{"bob"}) },
		"SetStatus":         func(c any) (any, error) { return nil, c.(tim.Presence).SetStatus(ctx, "at lunch") },
		"SubscribeStatus":   func(c any) (any, error) { return nil, c.(tim.Presence).SubscribeStatus(ctx, []tim.UserID{"bob"}) },
		"UnsubscribeStatus": func(c any) (any, error) { return nil, c.(tim.Presence).UnsubscribeStatus(ctx, nil) },
	}
	used := map[string]bool{}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			want, err := call(near)
			if err != nil {
				t.Fatal(err)
			}
			got, err := call(c)
			if err != nil {
				t.Fatal(err)
			}
			asked, told := near.take(), far.take()
			if !slices.Equal(asked, told) {
				t.Errorf("asked\n%s\nit arrives as\n%s", asked, told)
			}
			g, _ := json.Marshal(got)
			w, _ := json.Marshal(want)
			if !bytes.Equal(g, w) {
				t.Errorf("the answer is %s, want %s", g, w)
			}
			method, _, _ := strings.Cut(asked[0], " ")
			used[method] = true

			far.err = &tim.Error{Op: "x", Code: tim.CodeSvrGroupNotFound, Effect: tim.EffectNotDone}
			defer func() { far.err = nil }()
			if _, err := call(c); tim.CodeOf(err) != tim.CodeSvrGroupNotFound {
				t.Errorf("the error is %v", err)
			}
			far.take()
		})
	}
	for _, one := range []reflect.Type{
		reflect.TypeFor[tim.Modifier](), reflect.TypeFor[tim.Eraser](), reflect.TypeFor[tim.Reader](), reflect.TypeFor[tim.BatchSender](),
		reflect.TypeFor[tim.Groups](), reflect.TypeFor[tim.Profiles](), reflect.TypeFor[tim.Presence](),
	} {
		for i := range one.NumMethod() {
			if name := one.Method(i).Name; !used[name] {
				t.Errorf("%s.%s is not tested", one, name)
			}
		}
	}
}

// TestOperationsWithoutTheInterface: a server whose driver cannot do it says so.
func TestOperationsWithoutTheInterface(t *testing.T) {
	far := newFar()
	c, err := far.Open(within(t, time.Second), tim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name := range ops.byName {
		_, err := perform(within(t, time.Second), c, name, []byte(`{}`))
		if e, ok := tim.AsError(err); !ok || e.Code != tim.CodeSDKInterfaceNotSupport || e.Effect != tim.EffectNotDone {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestProtocolListsOperations: PROTOCOL.md has a row for each operation.
func TestProtocolListsOperations(t *testing.T) {
	text := protocol(t)
	for name := range ops.byName {
		if !strings.Contains(text, "| `"+name+"` |") {
			t.Errorf("PROTOCOL.md does not say what %q is", name)
		}
	}
	for _, name := range capabilitiesOf(whole{}) {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("PROTOCOL.md does not name the capability %q", name)
		}
	}
}

// FuzzOperations: no body makes a server fail otherwise than with an error of
// the contract.
func FuzzOperations(f *testing.F) {
	var names []string
	for name := range ops.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	for i := range names {
		f.Add(i, []byte(`{"conv_type":2,"conv_id":"g","locators":[{"message_locator_seq":1}],"before":null,"group_id":"g"}`))
	}
	f.Add(0, []byte(`[{"message_seq":1}]`))
	f.Add(1, []byte(`["bob",null,3]`))
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		client := whole{&farClient{far: newFar()}, farResender{}, farHistory{}, &farTalk{}, &farUploader{}}
		name := names[uint(which)%uint(len(names))]
		if name == "messages" {
			var b messagesBody
			if unmarshal(body, &b) == nil && (b.Count < 0 || b.Count > 100) {
				return // the far side of these tests takes no care
			}
		}
		if answer, err := perform(context.Background(), client, name, body); err != nil {
			if _, ok := tim.AsError(err); !ok {
				t.Fatalf("%s %q: %v", name, body, err)
			}
		} else if answer != nil && !json.Valid(answer) {
			t.Fatalf("%s %q: the answer is %q", name, body, answer)
		}
	})
}
