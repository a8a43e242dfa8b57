package egress

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// sendFile is a send of a file from a URL, or of its data.
func sendFile(id, user, name, url, data string) command {
	c := sendTo(id, user, "")
	e := map[string]any{"type": "file", "name": name}
	if url != "" {
		e["url"] = url
	} else {
		e["data"] = base64.StdEncoding.EncodeToString([]byte(data))
	}
	c.data.(map[string]any)["elements"] = []any{map[string]any{"type": "text", "text": "see " + name}, e}
	return c
}

// host is where files are fetched from in the tests.
type host struct {
	mu    sync.Mutex
	asked int
	fails []error // of the first times
	delay time.Duration
}

func (h *host) get(ctx context.Context, address string, to io.Writer) (int64, error) {
	h.mu.Lock()
	h.asked++
	n := h.asked
	h.mu.Unlock()
	if err := sleep(ctx, h.delay); err != nil {
		return 0, err
	}
	if n <= len(h.fails) && h.fails[n-1] != nil {
		return 0, h.fails[n-1]
	}
	k, err := io.WriteString(to, "what is at "+address)
	return int64(k), err
}

// withFiles is a rig whose clients read the files that they are given, as a
// service does when they are uploaded.
func withFiles(t *testing.T, cfg Config, h *host) (*rig, *[]string) {
	t.Helper()
	cfg.MediaDir = filepath.Join(t.TempDir(), "media")
	cfg.Policy.MediaHosts = []string{"files.example"}
	r := newRig(t, cfg)
	var mu sync.Mutex
	uploads := &[]string{}
	r.fetch = h.get
	r.im.uploaded = func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		*uploads = append(*uploads, string(b))
	}
	return r, uploads
}

func (r *rig) noFilesLeft() {
	r.t.Helper()
	left, err := os.ReadDir(r.cfg.MediaDir)
	if err != nil || len(left) > 0 {
		r.t.Errorf("left in the folder for files: %v, %v", left, err)
	}
	if kept := r.egress.media.kept.Load(); kept != 0 {
		r.t.Errorf("%d bytes are counted as kept", kept)
	}
}

const aFile = "https://files.example/a.txt?sig=secret"

func TestFilesOfMessages(t *testing.T) {
	unreachable := &mediaError{code: mapping.CodeMediaUnreachable, text: "down", again: true}
	missing := mediaErrorf(mapping.CodeMediaUnreachable, "404")
	huge := mediaErrorf(mapping.CodeMediaTooLarge, "huge")
	full := notKept(errors.New("no space left"))
	for name, c := range map[string]struct {
		command command
		fails   []error
		code    mapping.RejectCode
		fetches int
		upload  string
		field   string
	}{
		"from a URL":             {sendFile("1", "bob", "a.txt", aFile, ""), nil, "", 1, "what is at " + aFile, ""},
		"from data":              {sendFile("1", "bob", "a.txt", "", "some data"), nil, "", 0, "some data", ""},
		"a name with a path":     {sendFile("1", "bob", "../../etc/passwd", "", "some data"), nil, "", 0, "some data", ""},
		"a host that comes back": {sendFile("1", "bob", "a.txt", aFile, ""), []error{unreachable, unreachable}, "", 3, "what is at " + aFile, ""},
		"a host that is down":    {sendFile("1", "bob", "a.txt", aFile, ""), []error{unreachable, unreachable, unreachable, unreachable, unreachable}, mapping.CodeMediaUnreachable, 5, "", "/elements/1/url"},
		"not there":              {sendFile("1", "bob", "a.txt", aFile, ""), []error{missing}, mapping.CodeMediaUnreachable, 1, "", "/elements/1/url"},
		"too large":              {sendFile("1", "bob", "a.txt", aFile, ""), []error{huge}, mapping.CodeMediaTooLarge, 1, "", "/elements/1/url"},
		"a disk that is full for a while": {
			sendFile("1", "bob", "a.txt", aFile, ""),
			[]error{full, full, full, full, full, full, full}, "", 8, "what is at " + aFile, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{fails: c.fails}
				r, uploads := withFiles(t, Config{}, h)
				r.start()
				r.bus.publish(t, c.command)
				r.bus.publish(t, sendTo("2", "bob", "next"))
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				eventType := mapping.TypeSucceeded
				if c.code != "" {
					eventType = mapping.TypeFailed
				}
				got := r.want("1", eventType, c.code)
				if c.code != "" && (got.Attempts != 0 || got.Error.Field != c.field) {
					t.Errorf("%d attempts, field %q", got.Attempts, got.Error.Field)
				}
				if c.upload != "" && (len(*uploads) != 1 || (*uploads)[0] != c.upload) {
					t.Errorf("handed over: %q", *uploads)
				}
				if h.asked != c.fetches {
					t.Errorf("fetched %d times, want %d", h.asked, c.fetches)
				}
				r.want("2", mapping.TypeSucceeded, "")
				r.noFilesLeft()
			})
		})
	}
}

func TestFilesThatThePolicyForbidsAreRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{}
		r, _ := withFiles(t, Config{}, h)
		r.start()
		r.bus.publish(t, sendFile("1", "bob", "a.txt", "https://evil.example/x", ""))
		r.bus.publish(t, sendFile("2", "bob", "a.txt", "https://files.example:22/x", ""))
		synctest.Wait()
		n := 0
		for id, o := range r.outcomes() {
			n++
			if o.Type != mapping.TypeRejected || o.Error.Code != mapping.CodeMediaNotAllowed || o.Error.Field != "/elements/1/url" {
				t.Errorf("%s: %s %+v", id, o.Type, o.Error)
			}
		}
		if n != 2 || h.asked != 0 {
			t.Errorf("%d outcomes, fetched %d times", n, h.asked)
		}
	})
}

func TestFilesWithoutAFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		r.bus.publish(t, sendFile("1", "bob", "a.txt", "", "some data"))
		synctest.Wait()
		r.want("1", mapping.TypeFailed, mapping.CodeUnsupported)
	})
}

// A send with a file that is in doubt is repeated with the same random, and
// settled by history when the file cannot be had any more.
func TestFilesOfASendInDoubt(t *testing.T) {
	gone := mediaErrorf(mapping.CodeMediaUnreachable, "404")
	for name, c := range map[string]struct {
		perform   bool
		gone      bool
		eventType string
		code      mapping.RejectCode
		posted    int
	}{
		"done":                                 {true, false, mapping.TypeSucceeded, "", 1},
		"not done":                             {false, false, mapping.TypeSucceeded, "", 1},
		"done, and the file is gone since":     {true, true, mapping.TypeSucceeded, "", 1},
		"not done, and the file is gone since": {false, true, mapping.TypeFailed, mapping.CodeMediaUnreachable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{}
				r, _ := withFiles(t, Config{}, h)
				r.im.script = func(call call) answer {
					if call.op != "send" || call.n > 1 {
						return answer{}
					}
					if c.gone {
						// As when the process ends here: files do not outlive it.
						h.mu.Lock()
						h.fails = []error{nil, gone, gone, gone}
						h.mu.Unlock()
						r.egress.media.kept.Add(mediaKept)
					}
					return answer{err: unknown(), perform: c.perform}
				}
				r.start()
				r.bus.publish(t, sendFile("1", "bob", "a.txt", aFile, ""))
				time.Sleep(time.Hour)
				synctest.Wait()
				got := r.want("1", c.eventType, c.code)
				if len(r.im.messages) != c.posted {
					t.Errorf("%d messages", len(r.im.messages))
				}
				sends := r.im.called("send")
				for _, s := range sends[1:] {
					if s.rand != sends[0].rand || s.rand == 0 {
						t.Errorf("randoms %v", sends)
					}
				}
				if c.gone {
					r.egress.media.kept.Add(-mediaKept)
					if c.perform && !got.Result.Settled {
						t.Errorf("result %+v", got.Result)
					}
				}
				r.noFilesLeft()
			})
		})
	}
}

func TestFilesOfAnEarlierProcessAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := withFiles(t, Config{}, &host{})
		old := filepath.Join(r.cfg.MediaDir, "old", "0-a.txt")
		if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(old, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.start()
		synctest.Wait()
		r.noFilesLeft()
	})
}

func TestFetchingEndsWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{delay: 48 * time.Hour}
		r, _ := withFiles(t, Config{}, h)
		r.start()
		r.bus.publish(t, sendFile("1", "bob", "a.txt", aFile, ""))
		for i := range 2 * mediaSends { // more than are fetched at a time
			r.bus.publish(t, sendFile("x"+string(rune('a'+i)), "user"+string(rune('a'+i)), "a.txt", aFile, ""))
		}
		synctest.Wait()
		if h.asked != mediaSends {
			t.Errorf("%d are fetched at a time", h.asked)
		}
		r.none("1")
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s to end", took)
		}
		r.noFilesLeft()
	})
}

func TestFileNames(t *testing.T) {
	for name, c := range map[string]struct {
		media mapping.Media
		want  string
	}{
		"given":            {mapping.Media{Name: "holiday.jpg", URL: "https://x/y.png"}, "holiday.jpg"},
		"of the address":   {mapping.Media{URL: "https://x/y/z.png?sig=1"}, "z.png"},
		"none":             {mapping.Media{URL: "https://x/"}, "file"},
		"of data":          {mapping.Media{}, "file"},
		"a folder above":   {mapping.Media{Name: ".."}, "file"},
		"a path":           {mapping.Media{Name: "../a/b.txt"}, ".._a_b.txt"},
		"Windows' path":    {mapping.Media{Name: `C:\a.txt`}, "C__a.txt"},
		"control":          {mapping.Media{Name: "a\x00b\n"}, "a_b_"},
		"no UTF-8":         {mapping.Media{Name: "a\xffb"}, "a_b"},
		"long":             {mapping.Media{Name: strings.Repeat("é", 200) + ".jpeg"}, strings.Repeat("é", 47) + ".jpeg"},
		"long without end": {mapping.Media{Name: strings.Repeat("a", 200)}, strings.Repeat("a", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fileName(c.media); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestFilesAreKnownAgainInHistory(t *testing.T) {
	sent := &tim.Message{Elems: []tim.Elem{tim.FileElem{FileName: "a.txt"}, tim.ImageElem{}}}
	same := &tim.Message{Elems: []tim.Elem{
		tim.FileElem{FileName: "a.txt", FileSize: 7, FilePath: "/tmp/a", FileID: "f1", URL: "https://cos/f1"},
		tim.ImageElem{OrigPath: "/tmp/b", OrigURL: "https://cos/i1"},
	}}
	if !sameContent(sent, same) {
		t.Error("it is not known again")
	}
	for name, other := range map[string][]tim.Elem{
		"another name":    {tim.FileElem{FileName: "b.txt"}, tim.ImageElem{}},
		"another element": {tim.FileElem{FileName: "a.txt"}, tim.SoundElem{}},
		"more":            {tim.FileElem{FileName: "a.txt"}, tim.ImageElem{}, tim.ImageElem{}},
	} {
		if sameContent(sent, &tim.Message{Elems: other}) {
			t.Errorf("%s is taken for it", name)
		}
	}
}
