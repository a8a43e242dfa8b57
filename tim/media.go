package tim

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// The most bytes that the service takes of a file, by what it is sent as. A
// service may be set to take less.
const (
	MaxImageBytes = 28 << 20
	MaxFileBytes  = 100 << 20 // sounds and videos too
)

// Upload is a file that the service holds, to be put into an element of a
// message: its ID into the OrigID, FileID, VideoID or ImageID of an element
// whose path is empty.
type Upload struct {
	// ID names the file at the service.
	ID string `json:"id"`
	// URL downloads it.
	URL string `json:"url"`
	// Size is the file's length in bytes.
	Size int64 `json:"size"`
}

// Uploader is a [Client] that takes a file from whoever has one, without a path
// that the service could read it from. [Client].Send does it by itself for an
// element with a path.
type Uploader interface {
	// Upload hands over the size bytes that r gives, under a name that decides
	// nothing but what a download is called; of a path only its last part is
	// looked at. The file can be used in messages of the account that is signed
	// in. One that no message uses is removed by the service after some time.
	// The code is 7005 when the file has more bytes than the service takes, and
	// 7006 when it has none.
	Upload(ctx context.Context, name string, size int64, r io.Reader) (Upload, error)
}

// UploadMedia hands the files that the elements of a message name by a path to
// the service, one after the other, and gives the message with their ids, sizes
// and names in place of the paths. It is for drivers, whose Send begins with
// it. progress, which may be nil, hears how far each file is, about ten times a
// file and when it is complete; a video's snapshot is part of its element.
//
// An error is a [*Error] whose Effect is [EffectNotDone]: nothing was sent. The
// code is 7004 where there is no such file, 7005 where it is too large, 7006
// where it is empty, 7007 where it cannot be read.
func UploadMedia(ctx context.Context, up Uploader, msg Message, progress func(UploadProgress)) (Message, error) {
	out := msg
	for i, e := range msg.Elems {
		one := elemUpload{ctx: ctx, up: up, msg: &msg, index: i, progress: progress}
		done, err := one.elem(e)
		if err != nil {
			return Message{}, err
		}
		if !one.used {
			continue
		}
		if &out.Elems[0] == &msg.Elems[0] {
			out.Elems = append([]Elem(nil), msg.Elems...)
		}
		out.Elems[i] = done
	}
	return out, nil
}

// elemUpload is the upload of one element's files.
type elemUpload struct {
	ctx      context.Context
	up       Uploader
	msg      *Message
	index    int
	progress func(UploadProgress)
	used     bool // there was a file
}

// elem is the element with its files uploaded.
func (u *elemUpload) elem(e Elem) (Elem, error) {
	var err error
	switch e := e.(type) {
	case ImageElem:
		err = u.file(&e.OrigPath, MaxImageBytes, func(got Upload, _ string) {
			e.OrigID, e.OrigPicSize, e.OrigURL = got.ID, got.Size, ""
		})
		return e, err
	case SoundElem:
		err = u.file(&e.FilePath, MaxFileBytes, func(got Upload, _ string) {
			e.FileID, e.FileSize, e.URL = got.ID, got.Size, ""
		})
		return e, err
	case FileElem:
		err = u.file(&e.FilePath, MaxFileBytes, func(got Upload, name string) {
			e.FileID, e.FileSize, e.URL = got.ID, got.Size, ""
			if e.FileName == "" {
				e.FileName = name
			}
		})
		return e, err
	case VideoElem:
		err = u.file(&e.VideoPath, MaxFileBytes, func(got Upload, _ string) {
			e.VideoID, e.VideoSize, e.VideoURL = got.ID, uint64(got.Size), ""
		})
		if err == nil {
			err = u.file(&e.ImagePath, MaxImageBytes, func(got Upload, _ string) {
				e.ImageID, e.ImageSize, e.ImageURL = got.ID, uint64(got.Size), ""
			})
		}
		return e, err
	}
	return e, nil
}

// file uploads the file of a path, which it empties, where there is one.
func (u *elemUpload) file(path *string, most int64, done func(got Upload, name string)) error {
	if *path == "" {
		return nil
	}
	u.used = true
	f, size, err := openMedia(*path, most)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	name := filepath.Base(*path)
	got, err := u.up.Upload(u.ctx, name, size, &progressReader{r: f, total: size, tell: u.tell})
	if err != nil {
		return uploadFailed(err)
	}
	*path = ""
	done(got, name)
	return nil
}

func (u *elemUpload) tell(done, total int64) {
	if u.progress == nil {
		return
	}
	msg := *u.msg
	msg.Elems = append([]Elem(nil), msg.Elems...)
	u.progress(UploadProgress{
		Message: msg, Index: uint32(u.index),
		Done: uint32(min(done, math.MaxUint32)), Total: uint32(min(total, math.MaxUint32)),
	})
}

// openMedia opens a file that is to be sent, and gives its size.
func openMedia(path string, most int64) (*os.File, int64, error) {
	refused := func(code Code, err error) error {
		e := NewError("send", code, "")
		e.Effect, e.Err = EffectNotDone, err
		return e
	}
	// Looked at before it is opened: opening a pipe would wait for its writer.
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, refused(CodeSDKCommFileNotFound, err)
	case err != nil:
		return nil, 0, refused(CodeSDKCommFileOpenFailed, err)
	case !info.Mode().IsRegular():
		return nil, 0, refused(CodeSDKCommFileOpenFailed, errors.New("it is no regular file"))
	case info.Size() == 0:
		return nil, 0, refused(CodeSDKCommFileSizeEmpty, nil)
	case info.Size() > most:
		return nil, 0, refused(CodeSDKCommFileTooLarge, nil)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, refused(CodeSDKCommFileOpenFailed, err)
	}
	return f, info.Size(), nil
}

// uploadFailed is the error of a send whose file did not arrive: whatever
// became of the file, no message was posted.
func uploadFailed(err error) error {
	e := &Error{Op: "send", Code: CodeFileTransUploadFailed, Effect: EffectNotDone, Err: err}
	if cause, ok := AsError(err); ok {
		copied := *cause
		e = &copied
		e.Op, e.Effect = "send", EffectNotDone
	}
	return e
}

// progressReader tells how much of a file was read.
type progressReader struct {
	r           io.Reader
	done, total int64
	told        int64
	tell        func(done, total int64)
}

// Read implements [io.Reader].
func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.done += int64(n)
	if n > 0 && p.done <= p.total && (p.done == p.total || p.done-p.told >= max(p.total/10, 64<<10)) {
		p.told = p.done
		p.tell(p.done, p.total)
	}
	return n, err
}
