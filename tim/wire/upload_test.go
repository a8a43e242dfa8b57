package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

func signedIn(t *testing.T, r *rig, got *collector) tim.Client {
	t.Helper()
	c := r.open()
	if err := c.Listen(got.handle); err != nil {
		t.Fatal(err)
	}
	if err := c.Login(within(t, 10*time.Second), "alice", "sig"); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSendUploadsFiles(t *testing.T) {
	r, _, up := newWholeRig(t, HandlerOptions{})
	var got collector
	c := signedIn(t, r, &got)
	content := bytes.Repeat([]byte("0123456789abcdef"), 40_000)
	path := filepath.Join(t.TempDir(), "ä b.bin")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	msg := tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "x"}, tim.FileElem{FilePath: path}}}
	sent, err := c.Send(within(t, 10*time.Second), tim.C2C("bob"), msg)
	if err != nil {
		t.Fatal(err)
	}
	if e := sent.Elems[1].(tim.FileElem); e.FileID != "id of ä b.bin" || e.FilePath != "" || e.FileName != "ä b.bin" || e.FileSize != int64(len(content)) {
		t.Errorf("sent as %+v", e)
	}
	if !bytes.Equal(up.file("ä b.bin"), content) {
		t.Error("the file arrives as another")
	}
	if e := msg.Elems[1].(tim.FileElem); e.FilePath != path {
		t.Error("the message given was changed")
	}
	eventually(t, "the upload's progress", func() bool {
		var last tim.UploadProgress
		for _, r := range got.all() {
			if p, ok := r.Event.(tim.UploadProgress); ok {
				if r.Account != "alice" || r.Number != 0 || p.Index != 1 || p.Done <= last.Done || p.Total != uint32(len(content)) {
					t.Fatalf("told %+v after %d", p, last.Done)
				}
				last = p
			}
		}
		return last.Done == uint32(len(content))
	})
}

func TestUploadRefused(t *testing.T) {
	var got collector
	upload := func(c tim.Client, size int64, text string) error {
		_, err := c.(tim.Uploader).Upload(within(t, 10*time.Second), "n", size, strings.NewReader(text))
		return err
	}
	check := func(t *testing.T, err error, code tim.Code, cause error) {
		t.Helper()
		e, ok := tim.AsError(err)
		if !ok || e.Code != code || e.Effect != tim.EffectNotDone || cause != nil && !errors.Is(err, cause) {
			t.Errorf("the error is %v, want %v", err, code)
		}
	}
	t.Run("by the driver", func(t *testing.T) {
		r, _, up := newWholeRig(t, HandlerOptions{})
		up.err = &tim.Error{Op: "upload", Code: tim.CodeSDKCommFileTooLarge, Effect: tim.EffectNotDone}
		check(t, upload(signedIn(t, r, &got), 1, "x"), tim.CodeSDKCommFileTooLarge, nil)
	})
	t.Run("too large for the server", func(t *testing.T) {
		r, _, up := newWholeRig(t, HandlerOptions{MaxUploadBytes: 3})
		check(t, upload(signedIn(t, r, &got), 4, "four"), tim.CodeSDKCommFileTooLarge, ErrTooLarge)
		if up.file("n") != nil {
			t.Error("it was taken")
		}
	})
	t.Run("empty", func(t *testing.T) {
		r, _, _ := newWholeRig(t, HandlerOptions{})
		check(t, upload(signedIn(t, r, &got), 0, ""), tim.CodeSDKCommFileSizeEmpty, nil)
	})
	t.Run("shorter than was said", func(t *testing.T) {
		r, _, up := newWholeRig(t, HandlerOptions{})
		check(t, upload(signedIn(t, r, &got), 100, "short"), tim.CodeFileTransUploadFailed, ErrConnection)
		if up.file("n") != nil {
			t.Error("it was taken")
		}
	})
	t.Run("too many at once", func(t *testing.T) {
		r, _, up := newWholeRig(t, HandlerOptions{MaxUploads: 1})
		up.hold = make(chan struct{})
		c := signedIn(t, r, &got)
		first := make(chan error, 1)
		go func() { first <- upload(c, 1, "x") }()
		eventually(t, "the first upload is under way", func() bool {
			r.handler.mu.Lock()
			defer r.handler.mu.Unlock()
			return r.handler.uploads == 1
		})
		check(t, upload(c, 1, "y"), tim.CodeSDKNetReqCountLimit, ErrInFlight)
		close(up.hold)
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		r, _, up := newWholeRig(t, HandlerOptions{})
		up.hold = make(chan struct{})
		c := signedIn(t, r, &got)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_, err := c.(tim.Uploader).Upload(ctx, "n", 1, strings.NewReader("x"))
		check(t, err, tim.CodeSDKNetWaitAckTimeout, context.DeadlineExceeded)
	})
	t.Run("without a connection", func(t *testing.T) {
		r, _, _ := newWholeRig(t, HandlerOptions{})
		c := signedIn(t, r, &got)
		r.proxy.set(func(p *proxy) { p.refuse = true })
		r.proxy.cut()
		eventually(t, "the connection is lost", func() bool {
			err := upload(c, 1, "x")
			e, ok := tim.AsError(err)
			if !ok || e.Effect != tim.EffectNotDone {
				t.Fatalf("the error is %v", err)
			}
			return errors.Is(err, ErrConnection)
		})
	})
	t.Run("after Close", func(t *testing.T) {
		r, _, _ := newWholeRig(t, HandlerOptions{})
		c := signedIn(t, r, &got)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		check(t, upload(c, 1, "x"), tim.CodeSDKNotInitialized, ErrClosed)
	})
}

// TestUploadRequests looks at the requests from outside.
func TestUploadRequests(t *testing.T) {
	r, _, _ := newWholeRig(t, HandlerOptions{})
	var got collector
	signedIn(t, r, &got)
	var session string
	r.handler.mu.Lock()
	for id := range r.handler.sessions {
		session = id
	}
	r.handler.mu.Unlock()
	post := func(token, session, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(within(t, 10*time.Second), http.MethodPost, "http://"+r.addr+"/?name=n", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set(sessionHeader, session)
		transport := &http.Transport{DisableKeepAlives: true}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	if status, _ := post("wrong", session, "x"); status != http.StatusUnauthorized {
		t.Errorf("with a wrong token: %d", status)
	}
	if status, text := post(testToken, "none", "x"); status != http.StatusUnprocessableEntity || !strings.Contains(text, `"code":9508`) {
		t.Errorf("without a session: %d %s", status, text)
	}
	if status, text := post(testToken, session, ""); status != http.StatusUnprocessableEntity || !strings.Contains(text, `"code":7006`) {
		t.Errorf("without a body: %d %s", status, text)
	}
	if status, text := post(testToken, session, "x"); status != http.StatusOK || text != `{"upload":{"id":"id of n","url":"http://here/n","size":1}}` {
		t.Errorf("a good one: %d %s", status, text)
	}
}

// TestSessionEndsDuringUpload: what is being read ends with its session.
func TestSessionEndsDuringUpload(t *testing.T) {
	r, _, _ := newWholeRig(t, HandlerOptions{})
	var got collector
	c := signedIn(t, r, &got)
	pr, pw := io.Pipe()
	defer pw.Close()
	result := make(chan error, 1)
	go func() {
		_, err := c.(tim.Uploader).Upload(within(t, 20*time.Second), "n", 1<<20, pr)
		result <- err
	}()
	if _, err := pw.Write([]byte("begin")); err != nil {
		t.Fatal(err)
	}
	if err := r.handler.Close(); err != nil {
		t.Fatal(err)
	}
	_ = pr.CloseWithError(io.ErrUnexpectedEOF)
	if err := <-result; err == nil {
		t.Error("the upload went well")
	}
}

func FuzzUploadReply(f *testing.F) {
	f.Add([]byte(`{"upload":{"id":"x","url":"http://x","size":1}}`))
	f.Add([]byte(`{"error":{"code":7005,"effect":"not_done"}}`))
	f.Add([]byte(`{"upload":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		up, err := parseUploadReply(body)
		if e, ok := tim.AsError(err); err != nil && (!ok || e.Effect != tim.EffectNotDone) {
			t.Fatalf("%q: %v", body, err)
		}
		if err == nil && (up.ID == "" || up.Size < 0) {
			t.Fatalf("%q: %+v", body, up)
		}
	})
}
