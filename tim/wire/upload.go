package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// A file goes to the server as the body of a POST to its own address, beside
// the WebSocket, so that a large one does not hold up what is said.

// sessionHeader names the session that an upload belongs to.
const sessionHeader = "Timbridge-Session"

// opUpload is how errors name it.
const opUpload = "upload"

// maxUploadReply bounds the answer to an upload.
const maxUploadReply = 64 << 10

// uploadReply is the body of the answer to an upload: one of the two.
type uploadReply struct {
	Upload *tim.Upload `json:"upload,omitempty"`
	Error  *wireError  `json:"error,omitempty"`
}

// Upload implements [tim.Uploader].
func (u uploader) Upload(ctx context.Context, name string, size int64, r io.Reader) (tim.Upload, error) {
	return u.c.upload(ctx, name, size, r)
}

// uploaded is a message whose files the server has. Without a driver there that
// takes files it is the message as it was, and what becomes of its paths is the
// driver's affair.
func (c *client) uploaded(ctx context.Context, msg tim.Message) (tim.Message, error) {
	if !c.uploads {
		return msg, nil
	}
	return tim.UploadMedia(ctx, uploader{c}, msg, func(p tim.UploadProgress) {
		c.mu.Lock()
		user := c.account.user
		c.mu.Unlock()
		c.inbox.put(item{account: user, local: p})
	})
}

// upload hands a file to the server. An upload by itself does nothing that
// anybody could see, so its errors say that nothing was done.
func (c *client) upload(ctx context.Context, name string, size int64, r io.Reader) (tim.Upload, error) {
	c.mu.Lock()
	session, connected := c.greeting.Session, c.conn != nil && c.usable
	c.mu.Unlock()
	switch {
	case c.ctx.Err() != nil:
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKNotInitialized, ErrClosed)
	case !connected:
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKNetDisconnect, ErrConnection)
	case size <= 0:
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKCommFileSizeEmpty, errors.New("the file is empty"))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	request, err := c.driver.uploadRequest(ctx, name, size, r)
	if err != nil {
		return tim.Upload{}, notDone(opUpload, tim.CodeInvalidParameters, err)
	}
	request.Header.Set(sessionHeader, session)
	response, err := c.driver.http().Do(request)
	if err != nil {
		code := tim.CodeFileTransUploadFailed
		if ctx.Err() != nil {
			code = contextCode(ctx.Err(), true)
		}
		return tim.Upload{}, notDone(opUpload, code, fmt.Errorf("%w: %w", ErrConnection, err))
	}
	defer response.Body.Close() // what matters of it was read
	return readUploadReply(response)
}

// uploadRequest is the request that carries a file.
func (d *Driver) uploadRequest(ctx context.Context, name string, size int64, r io.Reader) (*http.Request, error) {
	to, err := url.Parse(d.opts.URL)
	if err != nil {
		return nil, fmt.Errorf("the server's address: %w", err)
	}
	switch to.Scheme {
	case "ws":
		to.Scheme = "http"
	case "wss":
		to.Scheme = "https"
	}
	query := to.Query()
	query.Set("name", name)
	to.RawQuery = query.Encode()
	// The reader is the caller's: closing the body must not close it.
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), io.NopCloser(io.LimitReader(r, size)))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	request.ContentLength = size
	request.Header.Set("Content-Type", "application/octet-stream")
	request.Header.Set("Authorization", "Bearer "+d.opts.Token)
	// A server that does not want the file says so before it is sent.
	request.Header.Set("Expect", "100-continue")
	return request, nil
}

// http is a client for one connection, which is not kept.
func (d *Driver) http() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{KeepAlive: 15 * time.Second, Timeout: d.opts.DialTimeout}).DialContext,
			TLSClientConfig:       d.opts.TLS.Clone(),
			DisableKeepAlives:     true,
			ExpectContinueTimeout: d.opts.DialTimeout,
		},
		// A redirect would carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// readUploadReply is what came of an upload.
func readUploadReply(response *http.Response) (tim.Upload, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxUploadReply))
	if err != nil {
		return tim.Upload{}, notDone(opUpload, tim.CodeFileTransUploadFailed, fmt.Errorf("%w: %w", ErrConnection, err))
	}
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKNetAuthInvalid, ErrUnauthorized)
	case http.StatusServiceUnavailable:
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKNetConnRefuse, ErrBusy)
	}
	up, err := parseUploadReply(body)
	if err != nil {
		return tim.Upload{}, err
	}
	if response.StatusCode != http.StatusOK {
		return tim.Upload{}, notDone(opUpload, tim.CodeFileTransUploadFailed, fmt.Errorf("the server answers with status %d", response.StatusCode))
	}
	return up, nil
}

// parseUploadReply reads the body of an answer.
func parseUploadReply(body []byte) (tim.Upload, error) {
	var reply uploadReply
	switch err := json.Unmarshal(body, &reply); {
	case err != nil:
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKNetDecodeFailed, fmt.Errorf("decode the answer: %w", err))
	case reply.Error != nil:
		e := reply.Error.fromWire()
		e.Effect = tim.EffectNotDone
		return tim.Upload{}, e
	case reply.Upload == nil || reply.Upload.ID == "" || reply.Upload.Size < 0:
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKNetDecodeFailed, errors.New("the answer names no file"))
	}
	return *reply.Upload, nil
}

// upload takes a file for a session. The request was authorized.
func (h *Handler) upload(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	s := h.sessions[r.Header.Get(sessionHeader)]
	h.mu.Unlock()
	var up tim.Upload
	err := error(notDone(opUpload, tim.CodeSDKNetDisconnect, errors.New("there is no such session")))
	if s != nil {
		up, err = s.upload(w, r)
	}
	reply, status := uploadReply{Upload: &up}, http.StatusOK
	if err != nil {
		reply, status = uploadReply{Error: toWire(opUpload, err)}, http.StatusUnprocessableEntity
		w.Header().Set("Connection", "close") // the rest of the file is not wanted
	}
	body, err := json.Marshal(reply)
	if err != nil { // there is nothing in it that could fail
		http.Error(w, "the answer cannot be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		h.opts.Logger.Debug("the answer to an upload could not be written", "error", err)
	}
}

// upload hands the body of a request to the driver's client.
func (s *session) upload(w http.ResponseWriter, r *http.Request) (tim.Upload, error) {
	able, ok := s.client.(tim.Uploader)
	switch {
	case !ok:
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKInterfaceNotSupport, ErrUnsupported)
	case r.ContentLength <= 0:
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKCommFileSizeEmpty, errors.New("the request has no length, or no body"))
	case r.ContentLength > s.h.opts.MaxUploadBytes:
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKCommFileTooLarge, ErrTooLarge)
	}
	if !s.h.beginUpload() {
		busy := notDone(opUpload, tim.CodeSDKNetReqCountLimit, ErrInFlight)
		busy.RetryAfter = time.Second
		return tim.Upload{}, busy
	}
	defer s.h.endUpload()
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return tim.Upload{}, notDone(opUpload, tim.CodeSDKNetDisconnect, errEnded)
	}
	s.work.Add(1)
	s.mu.Unlock()
	defer s.work.Done()

	control := http.NewResponseController(w)
	// The end of the session ends what is being read.
	defer context.AfterFunc(s.ctx, func() { _ = control.SetReadDeadline(time.Now()) })()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	body := &impatientReader{r: r.Body, control: control, wait: silentBeats * s.h.opts.Heartbeat, ended: s.ctx}
	up, err := able.Upload(ctx, strings.ToValidUTF8(r.URL.Query().Get("name"), "?"), r.ContentLength, body)
	// What is sent next on the connection has the time that the server gives.
	_ = control.SetReadDeadline(time.Time{})
	return up, err
}

func (h *Handler) beginUpload() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.uploads >= h.opts.MaxUploads {
		return false
	}
	h.uploads++
	return true
}

func (h *Handler) endUpload() {
	h.mu.Lock()
	h.uploads--
	h.mu.Unlock()
}

// impatientReader gives a sender up who does not go on.
type impatientReader struct {
	r       io.Reader
	control *http.ResponseController
	wait    time.Duration
	ended   context.Context
}

// Read implements [io.Reader].
func (i *impatientReader) Read(b []byte) (int, error) {
	// A server without deadlines, as in a test, waits for ever.
	_ = i.control.SetReadDeadline(time.Now().Add(i.wait))
	if i.ended.Err() != nil { // the deadline was just moved past the session's end
		return 0, errEnded
	}
	return i.r.Read(b)
}
