package mapping

import (
	"encoding/base64"
	"fmt"
	"path"

	"github.com/timbridge/timbridge/tim"
)

// MaxMediaData is the most that a command may carry in the data of an element
// with a file, in bytes after decoding; what is larger is given by its URL.
const MaxMediaData = 64 << 10

// MediaPart says which file of an element it is.
type MediaPart uint8

// The parts.
const (
	// MediaFile is the picture, recording, file or film itself.
	MediaFile MediaPart = iota
	// MediaSnapshot is the first picture of a film.
	MediaSnapshot
)

// Media is a file that an element of a message needs before it can be sent:
// either at a URL or here as bytes.
type Media struct {
	// Element is the element's index in the message.
	Element int
	Part    MediaPart
	// Name is the file's name without folders, as the sender gave it; empty
	// when there is none.
	Name string
	// URL is where it can be fetched, empty when Data has it. Whether its host
	// is allowed is the caller's to check.
	URL string
	// Data is the file, at most [MaxMediaData] bytes.
	Data []byte
}

// Field is where in the command's data the file is named: a JSON pointer, for
// a [RejectError] or an outcome's error.
func (m Media) Field() string {
	word := "url"
	if m.URL == "" {
		word = "data"
	}
	if m.Part == MediaSnapshot {
		word = "snapshot/" + word
	}
	return fmt.Sprintf("/elements/%d/%s", m.Element, word)
}

// SetFile gives the element that needs the file its path, and its size in
// bytes where the element has one. elems are the message's; the element that
// it concerns is replaced in place.
func (m Media) SetFile(elems []tim.Elem, file string, size int64) error {
	if m.Element < 0 || m.Element >= len(elems) {
		return fmt.Errorf("mapping: no element %d in a message of %d", m.Element, len(elems))
	}
	switch e := elems[m.Element].(type) {
	case tim.ImageElem:
		e.OrigPath = file
		elems[m.Element] = e
	case tim.SoundElem:
		e.FilePath, e.FileSize = file, size
		elems[m.Element] = e
	case tim.FileElem:
		e.FilePath, e.FileSize = file, size
		if e.FileName == "" {
			e.FileName = path.Base(file)
		}
		elems[m.Element] = e
	case tim.VideoElem:
		if m.Part == MediaSnapshot {
			e.ImagePath, e.ImageSize = file, uint64(size)
		} else {
			e.VideoPath, e.VideoSize = file, uint64(size)
		}
		elems[m.Element] = e
	default:
		return fmt.Errorf("mapping: element %d is %T, which has no file", m.Element, e)
	}
	return nil
}

// SetUpload gives the element that needs the file the name by which the service
// already holds it; the element gets no path, and nothing is uploaded when it
// is sent. elems are as in [Media.SetFile].
func (m Media) SetUpload(elems []tim.Elem, u tim.Upload) error {
	if m.Element < 0 || m.Element >= len(elems) {
		return fmt.Errorf("mapping: no element %d in a message of %d", m.Element, len(elems))
	}
	switch e := elems[m.Element].(type) {
	case tim.ImageElem:
		e.OrigPath, e.OrigID, e.OrigURL, e.OrigPicSize = "", u.ID, u.URL, u.Size
		elems[m.Element] = e
	case tim.SoundElem:
		e.FilePath, e.FileID, e.URL, e.FileSize = "", u.ID, u.URL, u.Size
		elems[m.Element] = e
	case tim.FileElem:
		e.FilePath, e.FileID, e.URL, e.FileSize = "", u.ID, u.URL, u.Size
		elems[m.Element] = e
	case tim.VideoElem:
		if m.Part == MediaSnapshot {
			e.ImagePath, e.ImageID, e.ImageURL, e.ImageSize = "", u.ID, u.URL, uint64(u.Size)
		} else {
			e.VideoPath, e.VideoID, e.VideoURL, e.VideoSize = "", u.ID, u.URL, uint64(u.Size)
		}
		elems[m.Element] = e
	default:
		return fmt.Errorf("mapping: element %d is %T, which has no file", m.Element, e)
	}
	return nil
}

// FileElement is a file of at most [MaxMediaData] bytes, carried in the command itself.
func FileElement(name string, data []byte) Element {
	return Element{Type: elementFile, Name: name, Data: base64.StdEncoding.EncodeToString(data)}
}

// ImageElement is a picture, carried as in [FileElement].
func ImageElement(name string, data []byte) Element {
	return Element{Type: elementImage, Name: name, Data: base64.StdEncoding.EncodeToString(data)}
}

// mediaData decodes the data of an element with a file.
func mediaData(field, text string) ([]byte, error) {
	if base64.StdEncoding.DecodedLen(len(text)) > MaxMediaData+2 {
		return nil, reject(RejectTooLarge, field, "a file of more than %d bytes cannot be sent as data: give its url", MaxMediaData)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, reject(RejectSchemaInvalid, field, "it is not base64: %v", err)
	}
	if len(raw) > MaxMediaData {
		return nil, reject(RejectTooLarge, field, "a file of more than %d bytes cannot be sent as data: give its url", MaxMediaData)
	}
	return raw, nil
}
