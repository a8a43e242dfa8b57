package mapping

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

// sendable says of elements that exist in events and cannot be sent that this
// is what is wrong with them, rather than their shape. value is the data of a
// command, at where it has elements, and modify says whether the elements are
// to stand in a message that is there already: it can keep the files that it
// has, or get those of another message.
func sendable(value any, at string, modify bool) error {
	object, _ := value.(map[string]any)
	elements, _ := object["elements"].([]any)
	for i, element := range elements {
		object, _ := element.(map[string]any)
		word, _ := object["type"].(string)
		field := fmt.Sprintf("%s/elements/%d", at, i)
		switch word {
		case elementGroupTips, elementGroupReport:
			return reject(RejectElementNotSendable, field, "only the IM service sends %s elements: leave it out", word)
		case elementUnknown:
			return reject(RejectElementNotSendable, field, "an element of unknown type cannot be sent: leave it out")
		case elementImage, elementSound, elementFile, elementVideo:
			if id, _ := object["id"].(string); modify && (id == "" || object["data"] != nil) {
				return reject(RejectElementNotSendable, field, "a change brings no file of its own: give the %s as a message.posted event has it, with its id, or send another message", word)
			}
		}
		messages, _ := object["messages"].([]any)
		if word == elementMerger && len(messages) == 0 && byRelayKey(object["raw"]) {
			return reject(RejectElementNotSendable, field, "the IM service told only its key to the merger's messages, and they cannot be sent by that: leave it out")
		}
		for k, message := range messages {
			if err := sendable(message, fmt.Sprintf("%s/messages/%d", field, k), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// byRelayKey says whether the raw part of a merger has the service's key to the
// messages in it.
func byRelayKey(raw any) bool {
	object, _ := raw.(map[string]any)
	for _, key := range []string{relayPBKey, relayJSONKey, relayBuffer} {
		if object[key] != nil {
			return true
		}
	}
	return false
}

// held says whether the element names all its files by what the service calls
// them: then it has them, and nothing is fetched.
func (e Element) held() bool {
	switch e.Type {
	case elementVideo:
		s := e.Snapshot
		return e.ID != "" && e.Data == "" && s != nil && s.ID != "" && s.Data == ""
	case elementImage, elementSound, elementFile:
		return e.ID != "" && e.Data == ""
	}
	return false
}

// elem is the element as the SDK takes it, the i-th of its message, and the
// files that it needs. Its shape is known to fit the schema.
func (e Element) elem(i int) (tim.Elem, []Media, error) {
	at := fmt.Sprintf("/elements/%d", i)
	if e.held() {
		elem, err := e.reported(at)
		return elem, nil, err
	}
	var out tim.Elem
	switch e.Type {
	case elementImage:
		image := tim.ImageElem{}
		for _, level := range []tim.ImageLevel{tim.ImageCompression, tim.ImageHD} {
			if level.String() == e.Level {
				image.Level = level
			}
		}
		out = image
	case elementSound:
		out = tim.SoundElem{FileTime: int64(e.Duration)}
	case elementFile:
		out = tim.FileElem{FileName: fileName(e.Name, e.URL)}
	case elementVideo:
		out = tim.VideoElem{
			VideoType: e.Format, VideoDuration: e.Duration,
			ImageType: e.Snapshot.Format, ImageWidth: e.Snapshot.Width, ImageHeight: e.Snapshot.Height,
		}
	default:
		elem, err := e.reported(at)
		return elem, nil, err
	}
	file := Media{Element: i, Name: fileName(e.Name, e.URL), URL: e.URL}
	var err error
	if e.URL == "" {
		if file.Data, err = mediaData(at+"/data", e.Data); err != nil {
			return nil, nil, err
		}
	}
	media := []Media{file}
	if s := e.Snapshot; s != nil && e.Type == elementVideo {
		snapshot := Media{Element: i, Part: MediaSnapshot, Name: fileName("", s.URL), URL: s.URL}
		if s.URL == "" {
			if snapshot.Data, err = mediaData(at+"/snapshot/data", s.Data); err != nil {
				return nil, nil, err
			}
		}
		media = append(media, snapshot)
	}
	return out, media, nil
}

// reported is the element as it was reported, with its files where they are:
// what stands in a merger, or in a message that is changed. at is where the command has it.
func (e Element) reported(at string) (tim.Elem, error) {
	if e.Data != "" || e.Snapshot != nil && e.Snapshot.Data != "" {
		switch e.Type {
		case elementImage, elementSound, elementFile, elementVideo:
			return nil, reject(RejectSchemaInvalid, at, "a file in a message that is passed on is given by its url, not as data")
		}
	}
	switch e.Type {
	case elementText:
		return tim.TextElem{Content: e.Text}, nil
	case elementCustom:
		return tim.CustomElem{Data: e.Data, Desc: e.Desc, Ext: e.Ext, Sound: e.Sound}, nil
	case elementFace:
		return tim.FaceElem{Index: *e.Index, Buf: e.Data}, nil
	case elementLocation:
		return tim.LocationElem{Desc: e.Desc, Longitude: *e.Longitude, Latitude: *e.Latitude}, nil
	case elementSound:
		return tim.SoundElem{URL: e.URL, FileID: e.ID, FileSize: int64(e.Size), FileTime: int64(e.Duration)}, nil
	case elementFile:
		return tim.FileElem{URL: e.URL, FileID: e.ID, FileSize: int64(e.Size), FileName: e.Name}, nil
	case elementImage:
		return e.reportedImage(), nil
	case elementVideo:
		s := e.Snapshot
		return tim.VideoElem{
			VideoURL: e.URL, VideoID: e.ID, VideoSize: e.Size, VideoDuration: e.Duration, VideoType: e.Format,
			ImageURL: s.URL, ImageID: s.ID, ImageSize: s.Size, ImageWidth: s.Width, ImageHeight: s.Height, ImageType: s.Format,
		}, nil
	case elementMerger:
		return e.merger(at)
	}
	return nil, reject(RejectElementNotSendable, at, "a %q element cannot be sent", e.Type)
}

func (e Element) reportedImage() tim.ImageElem {
	out := tim.ImageElem{
		OrigURL: e.URL, OrigID: e.ID, OrigPicSize: int64(e.Size), OrigPicWidth: int64(e.Width), OrigPicHeight: int64(e.Height),
	}
	for _, level := range []tim.ImageLevel{tim.ImageCompression, tim.ImageHD} {
		if level.String() == e.Level {
			out.Level = level
		}
	}
	for n := int64(1); n < 256; n++ {
		if e.Format != "" && imageFormat(n) == e.Format {
			out.Format = n
		}
	}
	if p := e.Large; p != nil {
		out.LargeURL, out.LargeID, out.LargePicSize = p.URL, p.ID, int64(p.Size)
		out.LargePicWidth, out.LargePicHeight = int64(p.Width), int64(p.Height)
	}
	if p := e.Thumb; p != nil {
		out.ThumbURL, out.ThumbID, out.ThumbPicSize = p.URL, p.ID, int64(p.Size)
		out.ThumbPicWidth, out.ThumbPicHeight = int64(p.Width), int64(p.Height)
	}
	return out
}

func (e Element) merger(at string) (tim.Elem, error) {
	out := tim.MergerElem{Title: e.Title, Abstracts: e.Abstracts, CompatibleText: e.CompatibleText}
	for i, d := range e.Messages {
		m := tim.Message{
			ConvType: tim.ConvC2C, Sender: d.Sender, Seq: d.Sequence, Rand: d.Random, ServerTime: d.ServerTime,
			ClientTime: d.ClientTime, MsgID: d.MsgID, CloudCustomStr: d.CloudCustomData, Status: tim.MsgSendSucc,
		}
		if d.GroupID != "" {
			m.ConvType, m.ConvID = tim.ConvGroup, string(d.GroupID)
		}
		if p := d.SenderProfile; p != nil {
			m.SenderProfile = &tim.UserProfile{Identifier: d.Sender, NickName: p.NickName, FaceURL: p.FaceURL}
			if p.NameCard != "" {
				m.SenderGroupMemberInfo = &tim.GroupMemberInfo{Identifier: d.Sender, NameCard: p.NameCard}
			}
		}
		for k, element := range d.Elements {
			elem, err := element.reported(fmt.Sprintf("%s/messages/%d/elements/%d", at, i, k))
			if err != nil {
				return nil, err
			}
			m.Elems = append(m.Elems, elem)
		}
		out.Messages = append(out.Messages, m)
	}
	return out, nil
}

// fileName is a file's name without folders: as given, or the last part of its
// URL; empty when neither says one.
func fileName(given, from string) string {
	if given == "" {
		u, err := url.Parse(from)
		if err != nil {
			return ""
		}
		given = u.Path
	}
	given = path.Base(strings.ReplaceAll(given, `\`, "/"))
	switch given {
	case ".", "..", "/":
		return ""
	}
	return given
}
