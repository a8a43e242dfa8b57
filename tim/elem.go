package tim

import (
	"bytes"
	"encoding/json"
	"math/bits"
	"reflect"
)

// Elem is one element of a message: one of the types in this file, by value,
// or [GroupTipsElem] or [GroupReportElem], which only the service sends.
type Elem interface {
	// ElemType is the element's type, from what its keys say.
	ElemType() ElemType
}

// TextElem is text. Mirrors TextElem.
type TextElem struct {
	Content string `json:"text_elem_content"`

	// Extra is as in [Message]; it also holds an elem_type other than the type's own.
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// CustomElem is whatever two programs agree on. Mirrors CustomElem.
type CustomElem struct {
	Data  string `json:"custom_elem_data,omitempty"`
	Desc  string `json:"custom_elem_desc,omitempty"`
	Ext   string `json:"custom_elem_ext,omitempty"`
	Sound string `json:"custom_elem_sound,omitempty"`

	// Extra is as in [TextElem].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// ImageElem is a picture, with a thumbnail and a large rendition, which are
// made when it is sent. Heights and widths are pixels, sizes bytes. IDs name
// the files at the service, URLs download them. Mirrors ImageElem.
type ImageElem struct {
	OrigPath string     `json:"image_elem_orig_path"` // the file to send; empty where OrigID names it
	Level    ImageLevel `json:"image_elem_level"`
	// Format is 1 for JPEG, 2 for GIF, 3 for PNG, 4 for BMP, 255 for another.
	Format         int64  `json:"image_elem_format,omitempty"`
	OrigID         string `json:"image_elem_orig_id,omitempty"`
	OrigPicHeight  int64  `json:"image_elem_orig_pic_height,omitempty"`
	OrigPicWidth   int64  `json:"image_elem_orig_pic_width,omitempty"`
	OrigPicSize    int64  `json:"image_elem_orig_pic_size,omitempty"`
	ThumbID        string `json:"image_elem_thumb_id,omitempty"`
	ThumbPicHeight int64  `json:"image_elem_thumb_pic_height,omitempty"`
	ThumbPicWidth  int64  `json:"image_elem_thumb_pic_width,omitempty"`
	ThumbPicSize   int64  `json:"image_elem_thumb_pic_size,omitempty"`
	LargeID        string `json:"image_elem_large_id,omitempty"`
	LargePicHeight int64  `json:"image_elem_large_pic_height,omitempty"`
	LargePicWidth  int64  `json:"image_elem_large_pic_width,omitempty"`
	LargePicSize   int64  `json:"image_elem_large_pic_size,omitempty"`
	OrigURL        string `json:"image_elem_orig_url,omitempty"`
	ThumbURL       string `json:"image_elem_thumb_url,omitempty"`
	LargeURL       string `json:"image_elem_large_url,omitempty"`
	TaskID         int64  `json:"image_elem_task_id,omitempty"`

	// Extra is as in [TextElem].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// SoundElem is a voice message. Mirrors SoundElem.
type SoundElem struct {
	FilePath   string `json:"sound_elem_file_path"` // the file to send; empty where FileID names it
	FileSize   int64  `json:"sound_elem_file_size"` // bytes
	FileTime   int64  `json:"sound_elem_file_time"` // seconds
	FileID     string `json:"sound_elem_file_id,omitempty"`
	BusinessID int64  `json:"sound_elem_business_id,omitempty"`
	URL        string `json:"sound_elem_url,omitempty"`
	TaskID     int64  `json:"sound_elem_task_id,omitempty"`

	// Extra is as in [TextElem].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// FileElem is a file. Mirrors FileElem.
type FileElem struct {
	FilePath   string `json:"file_elem_file_path"` // the file to send; empty where FileID names it
	FileName   string `json:"file_elem_file_name"`
	FileSize   int64  `json:"file_elem_file_size"` // bytes
	FileID     string `json:"file_elem_file_id,omitempty"`
	BusinessID int64  `json:"file_elem_business_id,omitempty"`
	URL        string `json:"file_elem_url,omitempty"`
	TaskID     int64  `json:"file_elem_task_id,omitempty"`

	// Extra is as in [TextElem].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// VideoElem is a film with its first picture. Mirrors VideoElem.
type VideoElem struct {
	VideoType     string `json:"video_elem_video_type"`     // "mp4"
	VideoSize     uint64 `json:"video_elem_video_size"`     // bytes
	VideoDuration uint64 `json:"video_elem_video_duration"` // seconds
	VideoPath     string `json:"video_elem_video_path"`     // the file to send; empty where VideoID names it
	VideoID       string `json:"video_elem_video_id,omitempty"`
	BusinessID    int64  `json:"video_elem_business_id,omitempty"`
	VideoURL      string `json:"video_elem_video_url,omitempty"`
	ImageType     string `json:"video_elem_image_type"`   // "jpg"
	ImageSize     uint64 `json:"video_elem_image_size"`   // bytes
	ImageWidth    uint64 `json:"video_elem_image_width"`  // pixels
	ImageHeight   uint64 `json:"video_elem_image_height"` // pixels
	ImagePath     string `json:"video_elem_image_path"`   // the file to send; empty where ImageID names it
	ImageID       string `json:"video_elem_image_id,omitempty"`
	ImageURL      string `json:"video_elem_image_url,omitempty"`
	TaskID        uint64 `json:"video_elem_task_id,omitempty"`

	// Extra is as in [TextElem].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// LocationElem is a place on earth, in degrees. Mirrors LocationElem.
type LocationElem struct {
	Desc      string  `json:"location_elem_desc,omitempty"`
	Longitude float64 `json:"location_elem_longitude"`
	Latitude  float64 `json:"location_elem_latitude"`

	// Extra is as in [TextElem].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// FaceElem is a picture from a set both sides have. Mirrors FaceElem.
type FaceElem struct {
	Index int64  `json:"face_elem_index"`
	Buf   string `json:"face_elem_buf,omitempty"`

	// Extra is as in [TextElem].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// MergerElem is several messages passed on as one. Mirrors MergerElem.
type MergerElem struct {
	Title           string    `json:"merge_elem_title"`
	Abstracts       []string  `json:"merge_elem_abstract_array"`  // a line or so of each message
	CompatibleText  string    `json:"merge_elem_compatible_text"` // for clients that know no mergers
	Messages        []Message `json:"merge_elem_message_array,omitempty"`
	LayersOverLimit bool      `json:"merge_elem_layer_over_limit,omitempty"` // more than 100 mergers lie in one another
	RelayPBKey      string    `json:"merge_elem_relay_pb_key,omitempty"`
	RelayJSONKey    string    `json:"merge_elem_relay_json_key,omitempty"`
	RelayBuffer     string    `json:"merge_elem_relay_buffer,omitempty"`

	// Extra is as in [TextElem].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// UnknownElem is an element that this package does not know, as it was.
type UnknownElem struct {
	// Type is its elem_type; ElemInvalid where it has none.
	Type ElemType
	// Raw is the element's whole JSON.
	Raw json.RawMessage
}

// ElemType is ElemText.
func (TextElem) ElemType() ElemType { return ElemText }

// ElemType is ElemCustom.
func (CustomElem) ElemType() ElemType { return ElemCustom }

// ElemType is ElemImage.
func (ImageElem) ElemType() ElemType { return ElemImage }

// ElemType is ElemSound.
func (SoundElem) ElemType() ElemType { return ElemSound }

// ElemType is ElemFile.
func (FileElem) ElemType() ElemType { return ElemFile }

// ElemType is ElemVideo.
func (VideoElem) ElemType() ElemType { return ElemVideo }

// ElemType is ElemLocation.
func (LocationElem) ElemType() ElemType { return ElemLocation }

// ElemType is ElemFace.
func (FaceElem) ElemType() ElemType { return ElemFace }

// ElemType is ElemMerge.
func (MergerElem) ElemType() ElemType { return ElemMerge }

// ElemType is the elem_type that was given.
func (e UnknownElem) ElemType() ElemType { return e.Type }

// UnmarshalElem decodes one element. It fails only on what is not JSON: an
// element that is not known is an [UnknownElem]. What its keys say counts for
// more than its elem_type, since some of the SDK's have another than documented.
func UnmarshalElem(data []byte) (Elem, error) {
	if !json.Valid(data) {
		var v any
		return nil, json.Unmarshal(data, &v) // says where it is wrong
	}
	return decodeElem(bytes.TrimSpace(data), 0), nil
}

// MarshalJSON gives the element as it was.
func (e UnknownElem) MarshalJSON() ([]byte, error) { return appendUnknown(nil, e) }

// UnmarshalJSON keeps the element as it is.
func (e *UnknownElem) UnmarshalJSON(data []byte) error {
	if !json.Valid(data) {
		var v any
		return json.Unmarshal(data, &v) // says where it is wrong
	}
	data = bytes.TrimSpace(data)
	said, _ := inspectElem(data)
	*e = UnknownElem{Type: said, Raw: bytes.Clone(data)}
	return nil
}

// decodeElem decodes one element of valid JSON without space around.
func decodeElem(data []byte, depth int) Elem {
	said, keys := inspectElem(data)
	unknown := func() Elem { return UnknownElem{Type: said, Raw: bytes.Clone(data)} }
	if data[0] != '{' {
		return unknown()
	}
	t := said
	if keys != 0 && (t < 0 || t > ElemMerge || keys&(1<<t) == 0) {
		if keys&(keys-1) != 0 {
			return unknown() // keys of several types, and none of the one it says
		}
		t = ElemType(bits.TrailingZeros16(uint16(keys)))
	}
	switch t {
	case ElemText:
		return decodeElemAs[TextElem](data, unknown, depth)
	case ElemImage:
		return decodeElemAs[ImageElem](data, unknown, depth)
	case ElemSound:
		return decodeElemAs[SoundElem](data, unknown, depth)
	case ElemCustom:
		return decodeElemAs[CustomElem](data, unknown, depth)
	case ElemFile:
		return decodeElemAs[FileElem](data, unknown, depth)
	case ElemGroupTips:
		return decodeElemAs[GroupTipsElem](data, unknown, depth)
	case ElemFace:
		return decodeElemAs[FaceElem](data, unknown, depth)
	case ElemLocation:
		return decodeElemAs[LocationElem](data, unknown, depth)
	case ElemGroupReport:
		return decodeElemAs[GroupReportElem](data, unknown, depth)
	case ElemVideo:
		return decodeElemAs[VideoElem](data, unknown, depth)
	case ElemMerge:
		return decodeElemAs[MergerElem](data, unknown, depth)
	}
	return unknown()
}

// decodeElemAs decodes an element as a T, or leaves it unknown where it lies too deep.
func decodeElemAs[T Elem](data []byte, unknown func() Elem, depth int) Elem {
	e := new(T)
	if !decodeObject(data, reflect.ValueOf(e).Elem(), any(e).(object), depth) {
		return unknown()
	}
	return *e
}

// inspectElem reads an element's elem_type, ElemInvalid where it has none, and
// the types that its keys belong to.
func inspectElem(data []byte) (said ElemType, keys elemSet) {
	said = ElemInvalid
	if data[0] != '{' {
		return said, 0
	}
	for key, value := range members(data) {
		if string(key) == "elem_type" {
			if n, ok := integer(value); ok && n == int64(int32(n)) {
				said = ElemType(n)
			}
		} else if t := elemOfKey(key); t != ElemInvalid {
			keys |= 1 << t
		}
	}
	return said, keys
}

// elemSet is a set of element types, a bit each.
type elemSet uint16

// elemOfKey is the element type that a key belongs to, ElemInvalid where it
// could belong to any.
func elemOfKey(key []byte) ElemType {
	prefix, _, found := bytes.Cut(key, []byte("_elem_"))
	if !found {
		return ElemInvalid
	}
	switch string(prefix) {
	case "text":
		return ElemText
	case "image":
		return ElemImage
	case "sound":
		return ElemSound
	case "custom":
		return ElemCustom
	case "file":
		return ElemFile
	case "group_tips":
		return ElemGroupTips
	case "face":
		return ElemFace
	case "location":
		return ElemLocation
	case "group_report":
		return ElemGroupReport
	case "video":
		return ElemVideo
	case "merge":
		return ElemMerge
	}
	return ElemInvalid
}
