package mapping

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/timbridge/timbridge/tim"
)

// The words for the types of elements in data.
const (
	elementText        = "text"
	elementCustom      = "custom"
	elementImage       = "image"
	elementSound       = "sound"
	elementFile        = "file"
	elementVideo       = "video"
	elementFace        = "face"
	elementLocation    = "location"
	elementMerger      = "merger"
	elementGroupTips   = "group_tips"
	elementGroupReport = "group_report"
	elementUnknown     = "unknown"
)

// Element is an element of a message in the data of events and commands. What
// an event has can be put into a command, save group tips, group reports and
// what is unknown.
type Element struct {
	// Type is "text", "custom", "image", "sound", "file", "video", "face",
	// "location", "merger", "group_tips", "group_report" or "unknown".
	Type string `json:"type"`
	// Text is the text of a text element.
	Text string `json:"text,omitempty"`
	// Data is a custom element's or a face's data; in a command also a picture,
	// recording, file or film in base64, instead of URL.
	Data string `json:"data,omitempty"`
	// Desc is a custom element's description or a location's name, Ext and
	// Sound are a custom element's.
	Desc  string `json:"desc,omitempty"`
	Ext   string `json:"ext,omitempty"`
	Sound string `json:"sound,omitempty"`

	// URL is where a picture, recording, file or film is, ID what the service
	// calls it, and Name what the sender called it.
	URL  string `json:"url,omitempty"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	// Size is in bytes, Duration in seconds, Width and Height in pixels.
	Size     uint64 `json:"size,omitempty"`
	Duration uint64 `json:"duration,omitempty"`
	Width    uint64 `json:"width,omitempty"`
	Height   uint64 `json:"height,omitempty"`
	// Format is the format of a picture ("jpg") or film ("mp4").
	Format string `json:"format,omitempty"`
	// Level is how a picture is sent: "original" (also when empty), "compression" or "hd".
	Level string `json:"level,omitempty"`
	// Large and Thumb are a picture's smaller renditions, Snapshot a film's first picture.
	Large    *Picture `json:"large,omitempty"`
	Thumb    *Picture `json:"thumb,omitempty"`
	Snapshot *Picture `json:"snapshot,omitempty"`

	// Index is a face's number in its set.
	Index *int64 `json:"index,omitempty"`
	// Longitude and Latitude are a location's, in degrees.
	Longitude *float64 `json:"longitude,omitempty"`
	Latitude  *float64 `json:"latitude,omitempty"`

	// Title, Abstracts, CompatibleText and Messages are a merger's.
	Title          string          `json:"title,omitempty"`
	Abstracts      []string        `json:"abstracts,omitempty"`
	CompatibleText string          `json:"compatible_text,omitempty"`
	Messages       []MergedMessage `json:"messages,omitempty"`

	// Tip and Report are the SDK's words for what group tips and reports tell,
	// and with them what follows.
	Tip         string         `json:"tip,omitempty"`
	Report      string         `json:"report,omitempty"`
	GroupID     tim.GroupID    `json:"group_id,omitempty"`
	GroupName   string         `json:"group_name,omitempty"`
	Operator    tim.UserID     `json:"operator,omitempty"`
	UserIDs     []tim.UserID   `json:"user_ids,omitempty"`
	JoinType    string         `json:"join_type,omitempty"`
	Members     []MemberChange `json:"members,omitempty"`
	Changes     []GroupChange  `json:"changes,omitempty"`
	MemberCount uint64         `json:"member_count,omitempty"`
	Message     string         `json:"message,omitempty"`
	UserData    string         `json:"user_data,omitempty"`

	// ElemType is the SDK's number of the type of an unknown element.
	ElemType *int32 `json:"elem_type,omitempty"`
	// Raw is what an event's element had that this package has no name for. In
	// a command it may be there, so that an element can be copied, and is not sent.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// Picture is one rendition of a picture, or the first picture of a film.
type Picture struct {
	URL string `json:"url,omitempty"`
	// Data is the picture in base64, of a film's snapshot in a command.
	Data   string `json:"data,omitempty"`
	ID     string `json:"id,omitempty"`
	Size   uint64 `json:"size,omitempty"`
	Width  uint64 `json:"width,omitempty"`
	Height uint64 `json:"height,omitempty"`
	Format string `json:"format,omitempty"`
}

// MergedMessage is a message that was passed on in a merger.
type MergedMessage struct {
	Sender tim.UserID `json:"sender,omitempty"`
	// GroupID is the group it was posted in, empty for one between two users.
	GroupID tim.GroupID `json:"group_id,omitempty"`
	// Sequence, Random and ServerTime (seconds since 1970) are its numbers there.
	Sequence        uint64         `json:"sequence,omitempty"`
	Random          uint64         `json:"random,omitempty"`
	ServerTime      uint64         `json:"server_time,omitempty"`
	ClientTime      uint64         `json:"client_time,omitempty"`
	MsgID           tim.MessageID  `json:"msg_id,omitempty"`
	SenderProfile   *SenderProfile `json:"sender_profile,omitempty"`
	Elements        []Element      `json:"elements"`
	CloudCustomData string         `json:"cloud_custom_data,omitempty"`
	// Raw is as in [Element].
	Raw json.RawMessage `json:"raw,omitempty"`
}

// SenderProfile is what the IM service said of a sender with the message.
type SenderProfile struct {
	NickName string `json:"nick_name,omitempty"`
	FaceURL  string `json:"face_url,omitempty"`
	NameCard string `json:"name_card,omitempty"`
}

// TextElement is a text element.
func TextElement(text string) Element { return Element{Type: elementText, Text: text} }

// MarshalJSON writes the text of a text element, and the data of a custom one,
// also where it is empty: they are what makes it one.
func (e Element) MarshalJSON() ([]byte, error) {
	type plain Element
	switch e.Type {
	case elementText:
		return marshal(struct {
			plain
			Text string `json:"text"`
		}{plain(e), e.Text})
	case elementCustom:
		return marshal(struct {
			plain
			Data string `json:"data"`
		}{plain(e), e.Data})
	}
	return marshal(plain(e))
}

// appendElements writes the elements of a message, as a field.
func appendElements(buf []byte, elems []tim.Elem) ([]byte, error) {
	buf = append(buf, `"elements":[`...)
	for _, elem := range elems {
		var err error
		if buf, err = appendElement(buf, elem); err != nil {
			return nil, err
		}
		buf = append(buf, ',')
	}
	return append(closeJSON(buf, ']'), ','), nil
}

// appendElement writes an element; the commonest ones by hand.
func appendElement(buf []byte, elem tim.Elem) ([]byte, error) {
	switch e := elem.(type) {
	case tim.TextElem:
		buf = append(buf, `{"type":"text","text":`...)
		buf = appendString(buf, e.Content)
		buf = append(buf, ',')
		return closeJSON(appendExtra(buf, e.Extra), '}'), nil
	case tim.CustomElem:
		buf = append(buf, `{"type":"custom","data":`...)
		buf = appendString(buf, e.Data)
		buf = append(buf, ',')
		buf = appendOptionalString(buf, "desc", e.Desc)
		buf = appendOptionalString(buf, "ext", e.Ext)
		buf = appendOptionalString(buf, "sound", e.Sound)
		return closeJSON(appendExtra(buf, e.Extra), '}'), nil
	case tim.UnknownElem:
		buf = append(buf, `{"type":"unknown","elem_type":`...)
		buf = strconv.AppendInt(buf, int64(e.Type), 10)
		buf = append(buf, `,"raw":`...)
		return append(appendRaw(buf, e.Raw), '}'), nil
	}
	told, err := tell(elem)
	if err != nil {
		return nil, err
	}
	raw, err := marshal(told)
	if err != nil {
		return nil, err
	}
	return append(buf, raw...), nil
}

// appendExtra writes the keys that the SDK knows and we do not, as the field
// "raw"; nothing when there are none.
func appendExtra(buf []byte, extra map[string]json.RawMessage) []byte {
	if len(extra) == 0 {
		return buf
	}
	buf = append(appendKey(buf, "raw"), '{')
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		buf = append(appendString(buf, key), ':')
		buf = append(appendRaw(buf, extra[key]), ',')
	}
	return append(closeJSON(buf, '}'), ',')
}
