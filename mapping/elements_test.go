package mapping_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

// everyMedia is each element with a file, with all that the SDK may say of it.
func everyMedia() []tim.Elem {
	return []tim.Elem{
		tim.ImageElem{
			OrigPath: "/home/alice/i.png", Level: tim.ImageHD, Format: 3, OrigID: "o", OrigPicHeight: 600, OrigPicWidth: 800, OrigPicSize: 20480,
			ThumbID: "t", ThumbPicHeight: 90, ThumbPicWidth: 120, ThumbPicSize: 1500, LargeID: "l", LargePicHeight: 300, LargePicWidth: 400,
			LargePicSize: 9000, OrigURL: "https://files.example/o.png", ThumbURL: "https://files.example/t.png",
			LargeURL: "https://files.example/l.png", TaskID: 7, Extra: map[string]json.RawMessage{"image_elem_new": json.RawMessage(`1`)},
		},
		tim.ImageElem{OrigURL: "https://files.example/x", Format: 17},
		tim.SoundElem{FilePath: "/home/alice/s.m4a", FileSize: 4096, FileTime: 3, FileID: "s", BusinessID: 302, URL: "https://files.example/s", TaskID: 7},
		tim.FileElem{FilePath: "/home/alice/a.pdf", FileName: "a.pdf", FileSize: 8192, FileID: "f", BusinessID: 303, URL: "https://files.example/f"},
		tim.VideoElem{
			VideoType: "mp4", VideoSize: 65536, VideoDuration: 12, VideoPath: "/home/alice/v.mp4", VideoID: "v", BusinessID: 301,
			VideoURL: "https://files.example/v", ImageType: "jpg", ImageSize: 2048, ImageWidth: 320, ImageHeight: 180,
			ImagePath: "/home/alice/v.jpg", ImageID: "p", ImageURL: "https://files.example/p", TaskID: 7,
		},
		tim.FaceElem{Index: 0, Buf: "smile"},
		tim.LocationElem{Desc: "gate", Longitude: 0, Latitude: 39.908},
	}
}

func everyPush() *tim.OfflinePushConfig {
	return &tim.OfflinePushConfig{
		Desc: "d", Ext: "{}", Flag: tim.OfflinePushNoPush,
		IOS: &tim.IOSOfflinePushConfig{Title: "t", Sound: "s", IgnoreBadge: true, PushType: tim.IOSPushVOIP, Image: "i"},
		Android: &tim.AndroidOfflinePushConfig{
			Title: "t", Sound: "s", NotifyMode: tim.AndroidNotifyCustom, VIVOClassification: 1, VIVOCategory: "vc", OPPOChannelID: "o",
			XiaoMiChannelID: "x", FCMChannelID: "f", HuaWeiCategory: "hc", HuaWeiImage: "hi", HonorImage: "ho", FCMImage: "fi",
		},
	}
}

// copied makes the data of a send command of what a message.posted event has,
// field by field, under the same names.
func copied(t *testing.T, m tim.Message, fields ...string) []byte {
	t.Helper()
	posted := one(t, observed, m)
	var data map[string]json.RawMessage
	if err := json.Unmarshal(posted.Event.Data(), &data); err != nil {
		t.Fatal(err)
	}
	out := map[string]json.RawMessage{}
	for _, f := range fields {
		if data[f] != nil {
			out[f] = data[f]
		}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestWhatAnEventHasCanBeSent(t *testing.T) {
	c := &mapping.Commands{Schemas: schemas.New()}
	m := groupMessage(append(everyMedia(),
		tim.TextElem{}, tim.CustomElem{Data: "d", Desc: "e", Ext: "x", Sound: "s"},
		tim.MergerElem{Title: "talk", Abstracts: []string{"a"}, CompatibleText: "c", Messages: []tim.Message{
			{ConvType: tim.ConvGroup, ConvID: "team", Sender: "alice", Seq: 4, Rand: 5, ServerTime: at, ClientTime: at, MsgID: "m", CloudCustomStr: "c",
				SenderProfile: &tim.UserProfile{NickName: "Alice"}, SenderGroupMemberInfo: &tim.GroupMemberInfo{NameCard: "Al"},
				Elems: append(everyMedia(), tim.TextElem{}, tim.CustomElem{}, tim.MergerElem{Title: "deeper", Messages: []tim.Message{
					{ConvType: tim.ConvC2C, Sender: "bob", Elems: []tim.Elem{tim.TextElem{Content: "deep"}}},
				}})},
		}})...)
	m.Priority, m.GroupAtUsers, m.TargetGroupMembers = ptr(tim.PriorityLow), []tim.UserID{tim.AtAll}, []tim.UserID{"bob"}
	m.IsOnlineMsg, m.NeedReadReceipt, m.IsExcludedFromUnreadCount, m.ExcludedFromLastMessage = true, true, true, true
	m.CloudCustomStr, m.OfflinePushConfig = "c", everyPush()

	data := copied(t, m, "conversation", "elements", "priority", "at_user_ids", "target_user_ids", "online_only", "need_read_receipt",
		"excluded_from_unread", "excluded_from_last_message", "cloud_custom_data", "offline_push")
	cmd, err := c.ToCommand(commandEvent(t, mapping.TypeCommandSend, string(data)))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "commands/copied_from_an_event.json", indent(t, cmd.Send))

	sent := cmd.Send.Message
	if diff := cmp.Diff(everyPush(), sent.OfflinePushConfig, cmp.Comparer(sameMarshalled[tim.OfflinePushConfig])); diff != "" {
		t.Errorf("offline push (-want +got):\n%s", diff)
	}
	var needed []string
	for _, file := range cmd.Send.Media {
		needed = append(needed, file.Field()+" "+file.Name)
	}
	// The others have the name by which the service holds them.
	if diff := cmp.Diff([]string{"/elements/1/url x"}, needed); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}

	// Sent as it is, with files where they were, it reads as it did.
	sent.ConvType, sent.ConvID, sent.Sender, sent.Seq = m.ConvType, m.ConvID, m.Sender, m.Seq
	again := copied(t, sent, "priority", "at_user_ids", "target_user_ids", "online_only", "need_read_receipt",
		"excluded_from_unread", "excluded_from_last_message", "cloud_custom_data", "offline_push")
	before := copied(t, m, "priority", "at_user_ids", "target_user_ids", "online_only", "need_read_receipt",
		"excluded_from_unread", "excluded_from_last_message", "cloud_custom_data", "offline_push")
	sameJSON(t, before, again)
}

// A merger goes both ways without a loss, but for what has no names here.
func TestAMergerReadsTheSameWhenPassedOn(t *testing.T) {
	c := &mapping.Commands{Schemas: schemas.New()}
	media := everyMedia()
	image := media[0].(tim.ImageElem)
	image.Extra, image.Level = nil, tim.ImageOriginal
	merger := tim.MergerElem{Title: "talk", Abstracts: []string{"a"}, CompatibleText: "c", Messages: []tim.Message{
		{ConvType: tim.ConvGroup, ConvID: "team", Sender: "alice", Seq: 4, Rand: 5, ServerTime: at, Elems: []tim.Elem{
			image, tim.VideoElem{VideoURL: "https://a.example/v", VideoType: "mp4", ImageURL: "https://a.example/p", ImageType: "jpg"},
			tim.SoundElem{URL: "https://a.example/s", FileTime: 2}, tim.FileElem{URL: "https://a.example/f", FileName: "f"},
			tim.FaceElem{Index: 4}, tim.LocationElem{}, tim.TextElem{}, tim.CustomElem{},
		}},
	}}
	data := copied(t, groupMessage(merger), "conversation", "elements")
	cmd, err := c.ToCommand(commandEvent(t, mapping.TypeCommandSend, string(data)))
	if err != nil {
		t.Fatal(err)
	}
	if len(cmd.Send.Media) != 0 {
		t.Errorf("what is passed on is not fetched: %+v", cmd.Send.Media)
	}
	sameJSON(t, data, copied(t, groupMessage(cmd.Send.Message.Elems...), "conversation", "elements"))
}

func sameMarshalled[T any](a, b *T) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && string(x) == string(y)
}

func TestMediaOfACommand(t *testing.T) {
	c := &mapping.Commands{Schemas: schemas.New()}
	cmd, err := c.ToCommand(commandEvent(t, mapping.TypeCommandSend, `{"conversation":{"type":"group","group_id":"team"},"elements":[
		{"type":"text","text":"look"},
		{"type":"image","data":"iVBORw==","level":"compression"},
		{"type":"file","url":"https://files.example/reports/%E6%8A%A5.pdf?sig=1"},
		{"type":"file","name":"..\\..\\etc/passwd","data":""},
		{"type":"sound","url":"https://files.example/","duration":4},
		{"type":"video","url":"https://files.example/v.mp4","format":"mp4","duration":9,"snapshot":{"data":"/9j/","format":"jpg","width":3,"height":2}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []mapping.Media{
		{Element: 1, Data: []byte{0x89, 'P', 'N', 'G'}},
		{Element: 2, Name: "报.pdf", URL: "https://files.example/reports/%E6%8A%A5.pdf?sig=1"},
		{Element: 3, Name: "passwd", Data: []byte{}},
		{Element: 4, URL: "https://files.example/"},
		{Element: 5, Name: "v.mp4", URL: "https://files.example/v.mp4"},
		{Element: 5, Part: mapping.MediaSnapshot, Data: []byte{0xff, 0xd8, 0xff}},
	}
	if diff := cmp.Diff(want, cmd.Send.Media); diff != "" {
		t.Fatalf("media (-want +got):\n%s", diff)
	}
	elems := cmd.Send.Message.Elems
	for _, m := range cmd.Send.Media {
		file := filepath.Join("dir", "m")
		if err := m.SetFile(elems, file, 17); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "commands/media.json", indent(t, elems))
	if err := (mapping.Media{Element: 0}).SetFile(elems, "f", 1); err == nil {
		t.Error("a text has no file")
	}
	if err := (mapping.Media{Element: 9}).SetFile(elems, "f", 1); err == nil {
		t.Error("there is no such element")
	}
	for _, m := range cmd.Send.Media {
		if err := m.SetUpload(elems, tim.Upload{ID: "u", URL: "https://im.example/u", Size: 18}); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "commands/media_uploaded.json", indent(t, elems))
	if err := (mapping.Media{Element: 0}).SetUpload(elems, tim.Upload{}); err == nil {
		t.Error("a text has no file")
	}
}

func TestTheLargestDataIsTaken(t *testing.T) {
	e, err := mapping.NewCommand("cli", "c-1", "bridge", mapping.SendData{
		Conversation: mapping.C2CConversation("bob"),
		Elements:     []mapping.Element{mapping.FileElement("f", make([]byte, mapping.MaxMediaData))},
	}, time.Unix(at, 0))
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := (&mapping.Commands{Schemas: schemas.New()}).ToCommand(e)
	if err != nil || len(cmd.Send.Media) != 1 || len(cmd.Send.Media[0].Data) != mapping.MaxMediaData || cmd.Send.Media[0].Name != "f" {
		t.Errorf("%v", err)
	}
}

// TestElementsDecode reads what events have into the type that Go consumers use.
func TestElementsDecode(t *testing.T) {
	for _, file := range []string{"media_with_all_that_is_known_of_them.json", "messages_passed_on.json", "every_other_element.json"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "facts", file))
		if err != nil {
			t.Fatal(err)
		}
		var events []struct {
			Data struct{ Elements json.RawMessage }
		}
		if err := json.Unmarshal(raw, &events); err != nil {
			t.Fatal(err)
		}
		var elements []mapping.Element
		if err := json.Unmarshal(events[0].Data.Elements, &elements); err != nil {
			t.Fatal(err)
		}
		back, err := json.Marshal(elements)
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, events[0].Data.Elements, back)
	}
}
