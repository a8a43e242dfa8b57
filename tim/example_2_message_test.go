package tim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/timbridge/timbridge/tim"
)

// A conversation is a value: the other user's id, or the group's. What is
// known of it is in the account's list, once something was said.
func ExampleC2C() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	client := im.signIn("WIN01", nil)

	conv := tim.C2C("Windows-02")
	_, err := client.Send(ctx, conv, tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "hello"}}})
	check(err)

	list, err := client.(tim.History).Conversations(ctx)
	check(err)
	for _, info := range list {
		fmt.Println(info.Conversation(), info.Conversation() == conv, info.LastMsg.Sender)
	}
	// Output:
	// c2c/Windows-02 true WIN01
}

// A group's conversation is there as soon as the account is a member.
func ExampleGroup() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	client := im.signIn("WIN01", nil)

	_, err := client.CreateGroup(ctx, tim.CreateGroupParam{
		GroupID: "Windows-Group-01", GroupName: "Windows-Group-Name", GroupType: tim.GroupPublic,
	})
	check(err)
	list, err := client.(tim.History).Conversations(ctx)
	check(err)
	for _, info := range list {
		fmt.Println(info.Conversation(), info.ShowName, info.Conversation() == tim.Group("Windows-Group-01"))
	}
	// Output:
	// group/Windows-Group-01 Windows-Group-Name true
}

// A message is a list of elements: several texts, pictures and others, in any
// order. Send returns it as the service stored it.
func ExampleClient_send() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	client := im.signIn("WIN01", nil)

	sent, err := client.Send(ctx, tim.C2C("Windows-02"), tim.Message{Elems: []tim.Elem{
		tim.TextElem{Content: "Message Send to Windows-02"},
	}})
	if err != nil {
		fmt.Println("not sent:", err)
		return
	}
	fmt.Println(sent.Status, sent.MsgID != "", sent.Seq > 0, sent.ServerTime > 0)

	sent, err = client.Send(ctx, tim.C2C("Windows-02"), tim.Message{
		Elems: []tim.Elem{
			tim.TextElem{Content: "where we meet"},
			tim.LocationElem{Desc: "the park", Latitude: 22.54, Longitude: 113.94},
			tim.FaceElem{Index: 5, Buf: "smile"},
		},
		CloudCustomStr:    `{"trace":1}`,
		NeedReadReceipt:   true,
		OfflinePushConfig: &tim.OfflinePushConfig{Desc: "somebody wants to meet you"},
	})
	if err != nil {
		fmt.Println("not sent:", err)
		return
	}
	for _, elem := range sent.Elems {
		fmt.Println(elem.ElemType())
	}
	// Output:
	// sent true true true
	// text
	// location
	// face
}

// New messages are reports. The handler is set before Login, because what
// arrived offline is reported right after it. A report brings several messages,
// and a message several elements: every one is looked at.
func ExampleMessagesReceived() {
	im := startIM()
	defer im.stop()
	defer im.serveFiles()()
	ctx := context.Background()
	sendEverything(im) // before the receiver signs in

	all := make(chan struct{})
	client, err := im.Open(ctx, tim.Config{SDKAppID: appID})
	check(err)
	check(client.Listen(func(r tim.Report) {
		if e, ok := r.Event.(tim.MessagesReceived); ok {
			for _, msg := range e.Messages {
				for _, elem := range msg.Elems {
					show(elem)
				}
				if msg.CloudCustomStr == "the last one" {
					close(all)
				}
			}
		}
		r.Ack() // it is safe with us, and need not come again
	}))
	check(client.Login(ctx, "Windows-02", im.userSig("Windows-02")))
	<-all
	// Output:
	// text: "look at this"
	// image: 640 x 480, thumbnail 264 x 198, true
	// text: "and listen"
	// sound: 3 s, 7 bytes
	// file: notes.txt says "read me"
	// video: mp4, 7 s, 6 bytes, first picture 320 x 240
	// custom: order {"order":17}
	// face: 5 smile
	// location: the park 22.54 113.94
	// merger: what we said 1 messages
	// of a later version: {"elem_type":99,"poll":["yes","no"]}
	// group tip: invite [Windows-02] by WIN01
	// group report: invite in Windows-Group-01 by WIN01
	// text: "to all of you"
}

// show says what an element is.
func show(elem tim.Elem) {
	switch e := elem.(type) {
	case tim.TextElem:
		fmt.Printf("text: %q\n", e.Content)
	case tim.SoundElem:
		fmt.Printf("sound: %d s, %d bytes\n", e.FileTime, len(download(e.URL)))
	case tim.FileElem:
		fmt.Printf("file: %s says %q\n", e.FileName, download(e.URL))
	case tim.ImageElem:
		fmt.Printf("image: %d x %d, thumbnail %d x %d, %t\n", e.OrigPicWidth, e.OrigPicHeight,
			e.ThumbPicWidth, e.ThumbPicHeight, int64(len(download(e.OrigURL))) == e.OrigPicSize)
	case tim.VideoElem:
		fmt.Printf("video: %s, %d s, %d bytes, first picture %d x %d\n", e.VideoType, e.VideoDuration,
			len(download(e.VideoURL)), e.ImageWidth, e.ImageHeight)
	case tim.CustomElem:
		fmt.Println("custom:", e.Desc, e.Data)
	case tim.FaceElem:
		fmt.Println("face:", e.Index, e.Buf)
	case tim.LocationElem:
		fmt.Println("location:", e.Desc, e.Latitude, e.Longitude)
	case tim.MergerElem:
		fmt.Println("merger:", e.Title, len(e.Messages), "messages")
	case tim.GroupTipsElem:
		fmt.Println("group tip:", e.TipType, e.Users, "by", e.OpUser)
	case tim.GroupReportElem:
		fmt.Println("group report:", e.ReportType, "in", e.GroupID, "by", e.OpUser)
	case tim.UnknownElem:
		fmt.Printf("of a later version: %s\n", e.Raw)
	}
}

// sendEverything sends a message with every element to Windows-02.
func sendEverything(im *imService) {
	ctx := context.Background()
	client := im.signIn("WIN01", nil)
	file := func(name string, content []byte) string {
		path := filepath.Join(im.dir, name)
		check(os.WriteFile(path, content, 0o600))
		return path
	}
	said := tim.Message{Sender: "WIN01", Elems: []tim.Elem{tim.TextElem{Content: "earlier"}}}
	for _, msg := range []tim.Message{
		{Elems: []tim.Elem{
			tim.TextElem{Content: "look at this"},
			tim.ImageElem{OrigPath: file("picture.png", picture(640, 480))},
			tim.TextElem{Content: "and listen"},
			tim.SoundElem{FilePath: file("voice.mp3", []byte("a voice")), FileTime: 3},
		}},
		{Elems: []tim.Elem{tim.FileElem{FilePath: file("notes.txt", []byte("read me")), FileName: "notes.txt"}}},
		{Elems: []tim.Elem{tim.VideoElem{
			VideoPath: file("film.mp4", []byte("a film")), VideoType: "mp4", VideoDuration: 7,
			ImagePath: file("film.png", picture(320, 240)), ImageType: "png",
		}}},
		{Elems: []tim.Elem{
			tim.CustomElem{Data: `{"order":17}`, Desc: "order"},
			tim.FaceElem{Index: 5, Buf: "smile"},
			tim.LocationElem{Desc: "the park", Latitude: 22.54, Longitude: 113.94},
		}},
		{Elems: []tim.Elem{tim.MergerElem{
			Title: "what we said", Abstracts: []string{"WIN01: earlier"}, CompatibleText: "a merged message",
			Messages: []tim.Message{said},
		}}},
		{Elems: []tim.Elem{tim.UnknownElem{Type: 99, Raw: json.RawMessage(`{"elem_type":99,"poll":["yes","no"]}`)}}},
	} {
		_, err := client.Send(ctx, tim.C2C("Windows-02"), msg)
		check(err)
	}
	_, err := client.CreateGroup(ctx, tim.CreateGroupParam{
		GroupID: "Windows-Group-01", GroupName: "Windows-Group-Name", GroupType: tim.GroupPublic,
		Members: []tim.GroupMemberInfo{{Identifier: "Windows-02"}},
	})
	check(err)
	_, err = client.Send(ctx, tim.Group("Windows-Group-01"), tim.Message{
		Elems:          []tim.Elem{tim.TextElem{Content: "to all of you"}},
		CloudCustomStr: "the last one",
	})
	check(err)
}

// picture is a PNG file.
func picture(width, height int) []byte {
	var b bytes.Buffer
	check(png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))))
	return b.Bytes()
}

// download gets a file by the URL in an element.
func download(url string) []byte {
	resp, err := http.Get(url)
	check(err)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	check(err)
	return content
}
