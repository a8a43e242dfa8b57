package mapping

import (
	"encoding/json"
	"maps"
	"strconv"

	"github.com/timbridge/timbridge/tim"
)

// tell gives an element as an event has it. Paths of the sender's device are
// left out: they mean nothing to anybody else.
func tell(elem tim.Elem) (Element, error) {
	switch e := elem.(type) {
	case tim.TextElem:
		return Element{Type: elementText, Text: e.Content, Raw: rawOf(e.Extra)}, nil
	case tim.CustomElem:
		return Element{Type: elementCustom, Data: e.Data, Desc: e.Desc, Ext: e.Ext, Sound: e.Sound, Raw: rawOf(e.Extra)}, nil
	case tim.ImageElem:
		return tellImage(e), nil
	case tim.SoundElem:
		return Element{
			Type: elementSound, URL: e.URL, ID: e.FileID, Size: natural(e.FileSize), Duration: natural(e.FileTime),
			Raw: rawWith(e.Extra, "sound_elem_business_id", e.BusinessID),
		}, nil
	case tim.FileElem:
		return Element{
			Type: elementFile, URL: e.URL, ID: e.FileID, Size: natural(e.FileSize), Name: e.FileName,
			Raw: rawWith(e.Extra, "file_elem_business_id", e.BusinessID),
		}, nil
	case tim.VideoElem:
		return Element{
			Type: elementVideo, URL: e.VideoURL, ID: e.VideoID, Size: e.VideoSize, Duration: e.VideoDuration, Format: e.VideoType,
			Snapshot: picture(Picture{
				URL: e.ImageURL, ID: e.ImageID, Size: e.ImageSize, Width: e.ImageWidth, Height: e.ImageHeight, Format: e.ImageType,
			}),
			Raw: rawWith(e.Extra, "video_elem_business_id", e.BusinessID),
		}, nil
	case tim.FaceElem:
		return Element{Type: elementFace, Index: &e.Index, Data: e.Buf, Raw: rawOf(e.Extra)}, nil
	case tim.LocationElem:
		return Element{
			Type: elementLocation, Desc: e.Desc, Longitude: &e.Longitude, Latitude: &e.Latitude, Raw: rawOf(e.Extra),
		}, nil
	case tim.MergerElem:
		return tellMerger(e)
	case tim.GroupTipsElem:
		return tellTip(e)
	case tim.GroupReportElem:
		return tellReport(e)
	case tim.UnknownElem:
		number := int32(e.Type)
		return Element{Type: elementUnknown, ElemType: &number, Raw: appendRaw(nil, e.Raw)}, nil
	}
	raw, err := json.Marshal(elem)
	return Element{Type: elementUnknown, Raw: raw}, err
}

// imageFormat is the word for the SDK's number of a picture's format, empty
// for a number that has none.
func imageFormat(n int64) string {
	switch n {
	case 1:
		return "jpg"
	case 2:
		return "gif"
	case 3:
		return "png"
	case 4:
		return "bmp"
	case 255:
		return "other"
	}
	return ""
}

func tellImage(e tim.ImageElem) Element {
	out := Element{
		Type: elementImage, URL: e.OrigURL, ID: e.OrigID, Size: natural(e.OrigPicSize),
		Width: natural(e.OrigPicWidth), Height: natural(e.OrigPicHeight), Format: imageFormat(e.Format),
		Large: picture(Picture{
			URL: e.LargeURL, ID: e.LargeID, Size: natural(e.LargePicSize), Width: natural(e.LargePicWidth), Height: natural(e.LargePicHeight),
		}),
		Thumb: picture(Picture{
			URL: e.ThumbURL, ID: e.ThumbID, Size: natural(e.ThumbPicSize), Width: natural(e.ThumbPicWidth), Height: natural(e.ThumbPicHeight),
		}),
	}
	if e.Level == tim.ImageCompression || e.Level == tim.ImageHD {
		out.Level = e.Level.String()
	}
	if out.Format == "" {
		out.Raw = rawWith(e.Extra, "image_elem_format", e.Format)
	} else {
		out.Raw = rawOf(e.Extra)
	}
	return out
}

// picture is nil for one of which nothing is known.
func picture(p Picture) *Picture {
	if p == (Picture{}) {
		return nil
	}
	return &p
}

// The keys by which the service fetches the messages of a merger that is too
// long to have them in it.
const (
	relayPBKey   = "merge_elem_relay_pb_key"
	relayJSONKey = "merge_elem_relay_json_key"
	relayBuffer  = "merge_elem_relay_buffer"
)

func tellMerger(e tim.MergerElem) (Element, error) {
	extra := maps.Clone(e.Extra)
	keep := func(key, value string) {
		if value != "" {
			extra = with(extra, key, appendString(nil, value))
		}
	}
	keep(relayPBKey, e.RelayPBKey)
	keep(relayJSONKey, e.RelayJSONKey)
	keep(relayBuffer, e.RelayBuffer)
	if e.LayersOverLimit {
		extra = with(extra, "merge_elem_layer_over_limit", json.RawMessage("true"))
	}
	out := Element{
		Type: elementMerger, Title: e.Title, Abstracts: e.Abstracts, CompatibleText: e.CompatibleText, Raw: rawOf(extra),
	}
	for _, m := range e.Messages {
		merged := MergedMessage{
			Sender: m.Sender, Sequence: m.Seq, Random: m.Rand, ServerTime: m.ServerTime, ClientTime: m.ClientTime,
			MsgID: m.MsgID, CloudCustomData: m.CloudCustomStr, Elements: make([]Element, len(m.Elems)), Raw: rawOf(messageExtra(m)),
		}
		if m.ConvType == tim.ConvGroup {
			merged.GroupID = tim.GroupID(m.ConvID)
		}
		var profile SenderProfile
		if p := m.SenderProfile; p != nil {
			profile.NickName, profile.FaceURL = p.NickName, p.FaceURL
		}
		if g := m.SenderGroupMemberInfo; g != nil {
			profile.NameCard = g.NameCard
		}
		if profile != (SenderProfile{}) {
			merged.SenderProfile = &profile
		}
		for i, elem := range m.Elems {
			var err error
			if merged.Elements[i], err = tell(elem); err != nil {
				return Element{}, err
			}
		}
		out.Messages = append(out.Messages, merged)
	}
	return out, nil
}

// tellTip gives a tip with what is understood of it, and whole as the SDK has it.
func tellTip(e tim.GroupTipsElem) (Element, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return Element{}, err
	}
	out := Element{Type: elementGroupTips, Tip: tipWord(e.TipType), Raw: raw}
	if eventType, d := readTip(e); eventType != "" {
		out.GroupID, out.GroupName, out.Operator, out.UserIDs = e.GroupID, d.GroupName, d.Operator, d.UserIDs
		out.JoinType, out.Members, out.Changes, out.MemberCount = d.JoinType, d.Members, d.Changes, d.MemberCount
	}
	return out, nil
}

func tellReport(e tim.GroupReportElem) (Element, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return Element{}, err
	}
	out := Element{
		Type: elementGroupReport, Report: reportWord(e.ReportType), GroupID: e.GroupID, GroupName: e.GroupName,
		Operator: e.OpUser, Message: e.Msg, UserData: e.UserData, Raw: raw,
	}
	if out.Operator == "" {
		out.Operator = operatorOf(e.OpUserInfo, e.OpGroupMemberInfo)
	}
	return out, nil
}

// natural is a number that counts something; what is below 0 is not known.
func natural(n int64) uint64 {
	return uint64(max(n, 0))
}

// rawWith is [rawOf] with a number of the SDK's that has no name here.
func rawWith(extra map[string]json.RawMessage, key string, n int64) json.RawMessage {
	if n == 0 {
		return rawOf(extra)
	}
	return rawOf(with(maps.Clone(extra), key, strconv.AppendInt(nil, n, 10)))
}

// with adds to a map that belongs to the caller, and may be nil.
func with(extra map[string]json.RawMessage, key string, value json.RawMessage) map[string]json.RawMessage {
	if extra == nil {
		extra = make(map[string]json.RawMessage)
	}
	extra[key] = value
	return extra
}
