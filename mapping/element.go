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

// Element is an element of a message in the data of a command.
type Element struct {
	// Type is "text" or "custom"; what else an event may have cannot be sent.
	Type string `json:"type"`
	// Text is the text of a text element.
	Text string `json:"text,omitempty"`
	// Data, Desc, Ext and Sound are a custom element's.
	Data  string `json:"data,omitempty"`
	Desc  string `json:"desc,omitempty"`
	Ext   string `json:"ext,omitempty"`
	Sound string `json:"sound,omitempty"`
	// Raw is what an event's element had that this package has no name for. It
	// may be there, so that an event's element can be copied, and is not sent.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// TextElement is a text element.
func TextElement(text string) Element { return Element{Type: elementText, Text: text} }

// elem is the element as the SDK takes it, and whether it can be sent.
func (e Element) elem() (tim.Elem, bool) {
	switch e.Type {
	case elementText:
		return tim.TextElem{Content: e.Text}, true
	case elementCustom:
		return tim.CustomElem{Data: e.Data, Desc: e.Desc, Ext: e.Ext, Sound: e.Sound}, true
	}
	return nil, false
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
	case tim.GroupTipsElem:
		buf = append(buf, `{"type":"group_tips",`...)
		buf = appendStringField(buf, "tip", tipWord(e.TipType))
	case tim.GroupReportElem:
		buf = append(buf, `{"type":"group_report",`...)
		buf = appendStringField(buf, "report", reportWord(e.ReportType))
	default:
		buf = append(buf, '{')
		buf = appendStringField(buf, "type", elementWord(elem))
	}
	// What has no names of its own yet is there as the SDK has it.
	raw, err := json.Marshal(elem)
	if err != nil {
		return nil, err
	}
	buf = appendKey(buf, "raw")
	return append(append(buf, raw...), '}'), nil
}

func elementWord(elem tim.Elem) string {
	switch elem.(type) {
	case tim.TextElem:
		return elementText
	case tim.CustomElem:
		return elementCustom
	case tim.GroupTipsElem:
		return elementGroupTips
	case tim.GroupReportElem:
		return elementGroupReport
	case tim.ImageElem:
		return elementImage
	case tim.SoundElem:
		return elementSound
	case tim.FileElem:
		return elementFile
	case tim.VideoElem:
		return elementVideo
	case tim.FaceElem:
		return elementFace
	case tim.LocationElem:
		return elementLocation
	case tim.MergerElem:
		return elementMerger
	}
	return elementUnknown
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
