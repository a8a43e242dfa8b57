package sandbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

// write makes a file to send.
func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sendFile sends a file and gives its element as it was stored.
func (d *device) sendFile(to tim.UserID, name string, content []byte) (tim.Message, tim.FileElem) {
	d.t.Helper()
	m, err := d.Send(ctx(d.t), tim.C2C(to), tim.Message{Elems: []tim.Elem{tim.FileElem{FilePath: write(d.t, name, content)}}})
	if err != nil {
		d.t.Fatalf("send a file: %v", err)
	}
	return m, m.Elems[0].(tim.FileElem)
}

// fetch reads a URL of a sandbox that nobody serves.
func fetch(t testing.TB, url string) []byte {
	t.Helper()
	b, err := os.ReadFile(strings.TrimPrefix(url, "file://"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stored are the files of a media directory.
func stored(t testing.TB, w *world) (names []string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(w.dir, "media"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

func TestMediaSurvivesKillAndSnapshot(t *testing.T) {
	w := open(t, options())
	ann, ben := w.signIn("ann"), w.signIn("ben")
	m, e := ann.sendFile("ben", "a.txt", []byte("content"))
	ann.sendFile("ben", "b.txt", []byte("content")) // the same content is kept once
	if names := stored(t, w); len(names) != 1 {
		t.Errorf("two files of one content are %d on disk", len(names))
	}
	if _, err := ann.Send(ctx(t), tim.C2C("ben"), tim.Message{Elems: []tim.Elem{tim.ImageElem{OrigPath: write(t, "p.png", picture(t, 900, 800))}}}); err != nil {
		t.Fatal(err)
	}
	ben.wait("the file", func(r tim.Report) bool { return messageOf(r).MsgID == m.MsgID })
	check := func(name string, w *world) {
		t.Helper()
		list, err := w.signIn("ben").Client.(tim.History).Messages(ctx(t), tim.C2C("ann"), tim.HistoryQuery{})
		if err != nil || len(list) != 3 {
			t.Fatalf("%s: %d messages, %v", name, len(list), err)
		}
		got := list[2].Elems[0].(tim.FileElem)
		if got.FileID != e.FileID || got.FileName != "a.txt" || string(fetch(t, got.URL)) != "content" {
			t.Errorf("%s: the file is %+v", name, got)
		}
		p := list[0].Elems[0].(tim.ImageElem)
		if p.OrigPicWidth != 900 || len(fetch(t, p.ThumbURL)) != int(p.ThumbPicSize) || p.ThumbPicHeight != 198 || len(fetch(t, p.LargeURL)) != int(p.LargePicSize) {
			t.Errorf("%s: the image is %+v", name, p)
		}
		// It can be sent on.
		if _, err := w.signIn("ann").Send(ctx(t), tim.C2C("cid"), tim.Message{Elems: []tim.Elem{p, got}}); err != nil {
			t.Errorf("%s: sent on: %v", name, err)
		}
	}
	check("after a kill", w.afterKill())
	if err := w.Snapshot(ctx(t)); err != nil {
		t.Fatal(err)
	}
	check("after a kill with a snapshot", w.afterKill())
	w.reopen()
	check("after a restart", w)
}

// TestMediaUnderKills: whenever a process dies, the files of all messages that
// are there are whole, and no more is on disk than is known.
func TestMediaUnderKills(t *testing.T) {
	w := open(t, options())
	ann := w.signIn("ann")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 3 {
		small := picture(t, 220+i, 210)
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("%d-%d", i, n)
				elems := []tim.Elem{
					tim.FileElem{FilePath: write(t, name+".txt", []byte(name))},
					tim.ImageElem{OrigPath: write(t, name+".png", append(bytes.Clone(small), name...))},
				}
				if _, err := ann.Send(ctx(t), tim.C2C("ben"), tim.Message{Elems: elems}); err != nil {
					t.Errorf("send: %v", err)
					return
				}
			}
		})
	}
	whole := 0
	for range 8 {
		next := w.Stats().Messages + 2
		for end := time.Now().Add(patience); w.Stats().Messages < next && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		left := w.afterKill()
		ben := left.signIn("ben")
		for _, m := range ben.history(tim.C2C("ann")) {
			f, p := m.Elems[0].(tim.FileElem), m.Elems[1].(tim.ImageElem)
			if text := fetch(t, f.URL); string(text)+".txt" != f.FileName {
				t.Errorf("the file %q is %q", f.FileName, text)
			}
			for url, size := range map[string]int64{p.OrigURL: p.OrigPicSize, p.LargeURL: p.LargePicSize, p.ThumbURL: p.ThumbPicSize} {
				if n := len(fetch(t, url)); int64(n) != size {
					t.Errorf("a picture has %d bytes, want %d", n, size)
				}
			}
			whole++
		}
		sums := map[string]bool{}
		for _, name := range stored(t, left) {
			sums[name] = true
		}
		if n := left.Stats().Files; n < len(sums) {
			t.Errorf("%d files are known, %d are on disk", n, len(sums))
		}
		if err := left.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	if whole == 0 {
		t.Error("no message was looked at")
	}
}

func TestMediaHalfWrittenIsRemoved(t *testing.T) {
	w := open(t, options())
	_, e := w.signIn("ann").sendFile("ben", "a.txt", []byte("content"))
	dir := filepath.Join(w.dir, "media")
	for _, name := range []string{"part-123", strings.Repeat("ab", 32)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "not ours"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	if names := stored(t, w); len(names) != 2 {
		t.Errorf("there are %q", names)
	}
	if string(fetch(t, e.URL)) != "content" {
		t.Error("the file is gone")
	}
}

func TestUnusedMediaIsRemoved(t *testing.T) {
	c := newClock()
	w := open(t, options(c.option, func(o *sandbox.Options) {
		o.Limits.HistoryTime, o.Limits.ReportTime = 48*time.Hour, 48*time.Hour
	}))
	ann := w.signIn("ann")
	_, used := ann.sendFile("ben", "used.txt", []byte("used"))
	if _, err := ann.Client.(tim.Uploader).Upload(ctx(t), "unused", 6, strings.NewReader("unused")); err != nil {
		t.Fatal(err)
	}
	ben := tim.C2C("ben")
	later := func(d time.Duration) {
		c.move(d)
		renew(ann)
		w.Tick()
		if err := ann.Client.(tim.Eraser).ClearHistory(ctx(t), tim.C2C("nobody")); err != nil { // what was written is on disk
			t.Fatal(err)
		}
		w.Tick()
	}
	later(23 * time.Hour)
	if n := w.Stats().Files; n != 2 {
		t.Errorf("before its time there are %d files", n)
	}
	later(2 * time.Hour)
	if s := w.Stats(); s.Files != 1 || s.FileBytes != 4 || len(stored(t, w)) != 1 {
		t.Errorf("after a day there are %d files of %d bytes, %d on disk", s.Files, s.FileBytes, len(stored(t, w)))
	}
	fetch(t, used.URL)
	// The message goes when its time is up and it is not the last of its talk.
	later(24 * time.Hour)
	if _, err := ann.Send(ctx(t), ben, tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "last"}}}); err != nil {
		t.Fatal(err)
	}
	later(30 * time.Hour)
	later(2 * time.Hour)
	if n := w.Stats().Files; n != 0 {
		t.Errorf("after two days there are %d files", n)
	}
	w.reopen()
	if n := w.Stats().Files; n != 0 || len(stored(t, w)) != 0 {
		t.Errorf("after a restart there are %d files", n)
	}
}

// renew hands in a new UserSig, as the clock has moved on.
func renew(d *device) {
	d.t.Helper()
	if err := d.RenewUserSig(ctx(d.t), d.w.sig(d.user)); err != nil {
		d.t.Fatal(err)
	}
}

// TestSameFileAgain: who says something with the same file again, as after an
// answer that never came, says the same.
func TestSameFileAgain(t *testing.T) {
	w := open(t, options())
	ann := w.signIn("ann")
	sent := ann.say(tim.C2C("ben"), "x")
	change := tim.Message{ConvType: sent.ConvType, ConvID: sent.ConvID, Seq: sent.Seq, Elems: []tim.Elem{
		tim.FileElem{FilePath: write(t, "a.txt", []byte("same"))}, tim.ImageElem{OrigPath: write(t, "a.png", picture(t, 300, 300))},
	}}
	for range 2 {
		m, err := ann.Client.(tim.Modifier).ModifyMessage(ctx(t), change)
		if err != nil || m.Version != 1 {
			t.Errorf("version %d, %v", m.Version, err)
		}
		w.reopen()
		ann = w.signIn("ann")
	}
	_, mine := ann.sendFile("ben", "a.txt", []byte("same"))
	_, named := ann.sendFile("ben", "b.txt", []byte("same"))
	_, other := ann.sendFile("ben", "a.txt", []byte("other"))
	_, theirs := w.signIn("ben").sendFile("ann", "a.txt", []byte("same"))
	for _, e := range []tim.FileElem{named, other, theirs} {
		if e.FileID == mine.FileID {
			t.Errorf("%+v has the id of another", e)
		}
	}
}

func TestMediaLimits(t *testing.T) {
	w := open(t, options(func(o *sandbox.Options) { o.Limits.MediaBytes, o.Limits.MediaTotalBytes = 10, 15 }))
	ann := w.signIn("ann")
	up := ann.Client.(tim.Uploader)
	if _, err := up.Upload(ctx(t), "a", 10, strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	_, err := up.Upload(ctx(t), "a", 11, strings.NewReader("0123456789a"))
	if tim.CodeOf(err) != tim.CodeSDKCommFileTooLarge {
		t.Errorf("11 bytes: %v", err)
	}
	_, err = up.Upload(ctx(t), "a", 6, strings.NewReader("abcdef"))
	if tim.CodeOf(err) != tim.CodeFileTransUploadFailed {
		t.Errorf("more than all files may have: %v", err)
	}
	_, err = up.Upload(ctx(t), "a", 3, strings.NewReader("abcdef"))
	if tim.CodeOf(err) != tim.CodeFileTransUploadFailed {
		t.Errorf("more than was said: %v", err)
	}
	if n := len(stored(t, w)); n != 1 {
		t.Errorf("%d files are left", n)
	}
}

// picture makes a PNG.
func picture(t testing.TB, width, height int) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	m.Set(width/2, height/2, color.White)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPictureBomb: a few bytes that promise a picture of any size are taken as
// a file, and not looked into.
func TestPictureBomb(t *testing.T) {
	header := picture(t, 1, 1)
	bomb := func(width, height uint32) []byte {
		b := bytes.Clone(header)
		for i := range 4 {
			b[16+i], b[20+i] = byte(width>>(24-8*i)), byte(height>>(24-8*i))
		}
		sum := crc32.ChecksumIEEE(b[12:29])
		for i := range 4 {
			b[29+i] = byte(sum >> (24 - 8*i))
		}
		return b
	}
	w := open(t, options())
	ann := w.signIn("ann")
	send := func(content []byte) (tim.ImageElem, error) {
		m, err := ann.Send(ctx(t), tim.C2C("ben"), tim.Message{Elems: []tim.Elem{tim.ImageElem{OrigPath: write(t, "b.png", content)}}})
		if err != nil {
			return tim.ImageElem{}, err
		}
		return m.Elems[0].(tim.ImageElem), nil
	}
	e, err := send(bomb(100_000, 100_000))
	if err != nil || e.ThumbID != e.OrigID || e.LargeURL != e.OrigURL || e.OrigPicWidth != 100_000 {
		t.Errorf("a large one: %+v, %v", e, err)
	}
	for name, b := range map[string][]byte{
		"one without an end": bomb(1<<31-1, 3), "one that is shorter than it says": bomb(3000, 3000), "one without pixels": bomb(0, 7),
	} {
		if _, err := send(b); tim.CodeOf(err) != tim.CodeImageUploadFailedNotImage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConcurrentUploads(t *testing.T) {
	w := open(t, options())
	ann := w.signIn("ann")
	content := picture(t, 300, 250)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			path := write(t, fmt.Sprint(i, ".png"), content)
			if _, err := ann.Send(ctx(t), tim.C2C("ben"), tim.Message{Elems: []tim.Elem{tim.ImageElem{OrigPath: path}, tim.FileElem{FilePath: path}}}); err != nil {
				t.Errorf("send: %v", err)
			}
		})
	}
	wg.Wait()
	if n := len(stored(t, w)); n != 2 { // the picture and its thumbnail
		t.Errorf("%d files are on disk", n)
	}
}

// served is a sandbox behind HTTP, and a client of it.
func served(t *testing.T, o sandbox.HandlerOptions) (*world, *httptest.Server, *device) {
	t.Helper()
	w := open(t, options())
	o.Wire.Token = "token"
	h, err := w.Handler(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	driver := wire.NewDriver(wire.Options{URL: "ws" + strings.TrimPrefix(server.URL, "http"), Token: "token"})
	d := w.clientOf(driver, "ann")
	t.Cleanup(func() { d.Close() })
	d.login()
	return w, server, d
}

// TestEverythingOverTheWire: a client on the network can do what one in the
// process can.
func TestEverythingOverTheWire(t *testing.T) {
	_, _, ann := served(t, sandbox.HandlerOptions{})
	type all interface {
		tim.Resender
		tim.History
		tim.Modifier
		tim.Eraser
		tim.Reader
		tim.BatchSender
		tim.Groups
		tim.Profiles
		tim.Presence
		tim.Uploader
	}
	if _, ok := ann.Client.(all); !ok {
		t.Errorf("the client is a %T", ann.Client)
	}
}

func TestDownload(t *testing.T) {
	_, server, ann := served(t, sandbox.HandlerOptions{})
	_, e := ann.sendFile("ben", "naïve \"q\".html", []byte("<script>alert(1)</script>"))
	if !strings.HasPrefix(e.URL, server.URL+"/media/"+e.FileID+"/") || len(e.FileID) < 26 {
		t.Fatalf("the URL is %q of %q", e.URL, e.FileID)
	}
	get := func(url, rng string) (*http.Response, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(ctx(t), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if rng != "" {
			request.Header.Set("Range", rng)
		}
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		b, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(b)
	}
	response, body := get(e.URL, "")
	head := response.Header
	if body != "<script>alert(1)</script>" || head.Get("Content-Type") != "application/octet-stream" || head.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.HasPrefix(head.Get("Content-Disposition"), "attachment;") || !strings.Contains(head.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the download is %q with %v", body, head)
	}
	if response, body := get(e.URL, "bytes=1-6"); response.StatusCode != http.StatusPartialContent || body != "script" {
		t.Errorf("a part is %d %q", response.StatusCode, body)
	}
	for _, path := range []string{"/media/none/x", "/media/" + e.FileID + "x/x", "/media/%2e%2e/x", "/media/"} {
		if response, _ := get(server.URL+path, ""); response.StatusCode == http.StatusOK {
			t.Errorf("%s is answered with %d", path, response.StatusCode)
		}
	}
}

func TestMediaURLIsSet(t *testing.T) {
	_, _, ann := served(t, sandbox.HandlerOptions{URL: "https://files.example/im/"})
	if _, e := ann.sendFile("ben", "a", []byte("x")); !strings.HasPrefix(e.URL, "https://files.example/im/media/") {
		t.Errorf("the URL is %q", e.URL)
	}
}

// TestPathsOfOthers: a path that somebody on the network names is not read here.
func TestPathsOfOthers(t *testing.T) {
	w := open(t, options())
	eve := w.clientOf(w.Remote(), "eve")
	eve.login()
	secret := write(t, "secret.png", picture(t, 3, 3))
	for _, e := range []tim.Elem{
		tim.FileElem{FilePath: secret}, tim.ImageElem{OrigPath: secret}, tim.SoundElem{FilePath: secret}, tim.VideoElem{VideoPath: secret},
	} {
		_, err := eve.Send(ctx(t), tim.C2C("ben"), tim.Message{Elems: []tim.Elem{e}})
		if tim.CodeOf(err) != tim.CodeSDKCommFileNotFound {
			t.Errorf("%T: %v", e, err)
		}
	}
	if len(stored(t, w)) != 0 {
		t.Error("something was stored")
	}
}
