package tim_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

// shelf takes files.
type shelf struct {
	files map[string][]byte // by name
	err   error             // of every upload
}

func (s *shelf) Upload(_ context.Context, name string, size int64, r io.Reader) (tim.Upload, error) {
	if s.err != nil {
		return tim.Upload{}, s.err
	}
	content, err := io.ReadAll(r)
	if err != nil || int64(len(content)) != size {
		return tim.Upload{}, err
	}
	if s.files == nil {
		s.files = map[string][]byte{}
	}
	s.files[name] = content
	return tim.Upload{ID: "id of " + name, URL: "https://example.test/" + name, Size: size}, nil
}

// written is a file in a folder of the test's own.
func written(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUploadMedia(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 1<<20)
	msg := tim.Message{ConvID: "bob", Elems: []tim.Elem{
		tim.TextElem{Content: "look"},
		tim.ImageElem{OrigPath: written(t, "a.png", []byte("png")), Level: tim.ImageHD},
		tim.SoundElem{FilePath: written(t, "a.mp3", []byte("sound")), FileTime: 3},
		tim.FileElem{FilePath: written(t, "a.bin", large)},
		tim.FileElem{FilePath: written(t, "b.txt", []byte("text")), FileName: "another name"},
		tim.VideoElem{VideoPath: written(t, "a.mp4", []byte("film")), ImagePath: written(t, "b.png", []byte("first")), VideoDuration: 7},
		tim.FileElem{FileID: "was there before", FileName: "c"},
	}}
	before := marshal(t, msg)
	var progress []tim.UploadProgress
	var up shelf
	got, err := tim.UploadMedia(t.Context(), &up, msg, func(p tim.UploadProgress) { progress = append(progress, p) })
	if err != nil {
		t.Fatal(err)
	}
	want := tim.Message{ConvID: "bob", Elems: []tim.Elem{
		tim.TextElem{Content: "look"},
		tim.ImageElem{OrigID: "id of a.png", OrigPicSize: 3, Level: tim.ImageHD},
		tim.SoundElem{FileID: "id of a.mp3", FileSize: 5, FileTime: 3},
		tim.FileElem{FileID: "id of a.bin", FileName: "a.bin", FileSize: 1 << 20},
		tim.FileElem{FileID: "id of b.txt", FileName: "another name", FileSize: 4},
		tim.VideoElem{VideoID: "id of a.mp4", VideoSize: 4, ImageID: "id of b.png", ImageSize: 5, VideoDuration: 7},
		tim.FileElem{FileID: "was there before", FileName: "c"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("to be sent is %+v", got)
	}
	if after := marshal(t, msg); !bytes.Equal(before, after) {
		t.Errorf("the caller's message has become %s", after)
	}
	if !bytes.Equal(up.files["a.bin"], large) || len(up.files) != 6 {
		t.Errorf("%d files arrived, or not whole", len(up.files))
	}

	last := map[uint32]tim.UploadProgress{}
	for _, p := range progress {
		if p.Done > p.Total || p.Index == last[p.Index].Index && p.Total == last[p.Index].Total && p.Done <= last[p.Index].Done {
			t.Errorf("%d of %d after %d", p.Done, p.Total, last[p.Index].Done)
		}
		last[p.Index] = p
	}
	for index, total := range map[uint32]uint32{1: 3, 2: 5, 3: 1 << 20, 4: 4, 5: 5} {
		if p := last[index]; p.Done != total || p.Total != total || p.Message.ConvID != "bob" {
			t.Errorf("the last that is told of element %d is %d of %d", index, p.Done, p.Total)
		}
	}
	if len(last) != 5 || len(progress) > 30 {
		t.Errorf("%d progresses of %d elements", len(progress), len(last))
	}
}

func TestUploadMediaWithoutFiles(t *testing.T) {
	msg := tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "x"}, tim.ImageElem{OrigID: "there"}}}
	got, err := tim.UploadMedia(t.Context(), &shelf{err: errors.New("nobody asked for it")}, msg, nil)
	if err != nil || !reflect.DeepEqual(got, msg) {
		t.Errorf("to be sent is %+v, %v", got, err)
	}
}

// Whatever goes wrong, no message was posted.
func TestUploadMediaFails(t *testing.T) {
	tooLarge := written(t, "large.png", nil)
	if err := os.Truncate(tooLarge, tim.MaxImageBytes+1); err != nil {
		t.Fatal(err)
	}
	fine := written(t, "fine", []byte("x"))
	cause := errors.New("the line is cut")
	tests := map[string]struct {
		elem tim.Elem
		err  error
		want tim.Code
		is   error
	}{
		"no such file":            {tim.FileElem{FilePath: filepath.Join(t.TempDir(), "none")}, nil, tim.CodeSDKCommFileNotFound, os.ErrNotExist},
		"a folder":                {tim.SoundElem{FilePath: t.TempDir()}, nil, tim.CodeSDKCommFileOpenFailed, nil},
		"an empty file":           {tim.FileElem{FilePath: written(t, "empty", nil)}, nil, tim.CodeSDKCommFileSizeEmpty, nil},
		"a picture too large":     {tim.ImageElem{OrigPath: tooLarge}, nil, tim.CodeSDKCommFileTooLarge, nil},
		"a first picture of none": {tim.VideoElem{VideoPath: fine, ImagePath: filepath.Join(t.TempDir(), "none")}, nil, tim.CodeSDKCommFileNotFound, os.ErrNotExist},
		"the service refuses":     {tim.FileElem{FilePath: fine}, tim.NewError("upload", tim.CodeSDKCommFileTooLarge, ""), tim.CodeSDKCommFileTooLarge, nil},
		"no answer":               {tim.FileElem{FilePath: fine}, &tim.Error{Op: "upload", Code: tim.CodeRequestTimeOut, Effect: tim.EffectUnknown, Err: cause}, tim.CodeRequestTimeOut, cause},
		"an error of its own":     {tim.FileElem{FilePath: fine}, cause, tim.CodeFileTransUploadFailed, cause},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tim.UploadMedia(t.Context(), &shelf{err: tt.err}, tim.Message{Elems: []tim.Elem{tim.TextElem{}, tt.elem}}, nil)
			e, ok := tim.AsError(err)
			if !ok || e.Code != tt.want || e.Effect != tim.EffectNotDone || e.Op != "send" || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("it is %#v", err)
			}
			if len(got.Elems) != 0 {
				t.Errorf("and still there is %+v to send", got)
			}
		})
	}
}
