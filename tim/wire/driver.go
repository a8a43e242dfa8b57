package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/coder/websocket"
	"github.com/timbridge/timbridge/tim"
)

// Driver opens clients at a server that a [Handler] is. It implements
// [tim.Driver], holds nothing, and may be used from several goroutines.
type Driver struct {
	opts Options
}

// NewDriver makes a driver. It does not connect; a mistake in opts shows when
// a client is opened.
func NewDriver(opts Options) *Driver { return &Driver{opts: opts.withDefaults()} }

// Open connects to the server and has a client opened there. It tries once:
// an error is a [*tim.Error] that wraps [ErrUnauthorized], [ErrVersion],
// [ErrBusy], what the network said, or what the server's driver said. From then
// on the client keeps the connection up by itself.
//
// The client implements the largest of these sets of optional interfaces that
// the server's client implements all of: every one; every one but
// [tim.Resender] and [tim.Uploader]; [tim.Resender] and [tim.History]; one of
// these two; none. It never implements one that the server's client does not.
func (d *Driver) Open(ctx context.Context, config tim.Config) (tim.Client, error) {
	raw, err := marshal(config)
	if err != nil {
		return nil, notDone("open", tim.CodeInvalidParameters, fmt.Errorf("encode the configuration: %w", err))
	}
	greeting := hello{
		T: kindHello, Version: Version, SDKAppID: config.SDKAppID, Config: raw,
		MaxMessage: d.opts.MaxMessageBytes, MaxAnswer: d.opts.MaxAnswerBytes, HeartbeatMS: milliseconds(d.opts.Heartbeat),
	}
	l, w, err := d.dial(ctx, context.Background(), greeting)
	if err != nil {
		return nil, asOpenError(err)
	}
	c := newClient(d, greeting, w)
	c.start(l, w)
	return c.withCapabilities(w.Capabilities), nil
}

// dial connects and says hello. ctx bounds it; the link lives on under life.
func (d *Driver) dial(ctx, life context.Context, greeting hello) (*link, welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, d.opts.DialTimeout)
	defer cancel()
	ws, err := d.connect(ctx)
	if err != nil {
		return nil, welcome{}, err
	}
	l := newLink(life, ws, d.opts.Heartbeat, d.opts.MaxMessageBytes)
	stop := context.AfterFunc(ctx, func() { l.fail(ctx.Err()) })
	w, err := l.greet(greeting)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if cause := context.Cause(l.ctx); cause != nil {
			err = cause
		}
		l.discard()
		return nil, welcome{}, err
	}
	return l, w, nil
}

// connect makes the WebSocket connection.
func (d *Driver) connect(ctx context.Context) (*websocket.Conn, error) {
	ws, response, err := websocket.Dial(ctx, d.opts.URL, &websocket.DialOptions{
		HTTPClient:      d.http(), // its one connection leaves it with the upgrade
		HTTPHeader:      http.Header{"Authorization": {"Bearer " + d.opts.Token}},
		CompressionMode: websocket.CompressionDisabled,
	})
	switch {
	case err == nil:
		return ws, nil
	case response != nil && response.StatusCode == http.StatusUnauthorized:
		return nil, ErrUnauthorized
	case response != nil && response.StatusCode == http.StatusServiceUnavailable:
		return nil, ErrBusy
	case response != nil && response.Body != nil:
		body, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // an addition to the error
		return nil, fmt.Errorf("%w: %w: %q", ErrConnection, err, body)
	default:
		return nil, fmt.Errorf("%w: %w", ErrConnection, err)
	}
}

// greet says hello and reads the answer.
func (l *link) greet(greeting hello) (welcome, error) {
	frame, err := json.Marshal(greeting)
	if err != nil {
		return welcome{}, fmt.Errorf("encode the hello: %w", err)
	}
	if err := l.writeMessage(append(frame, '\n')); err != nil {
		return welcome{}, fmt.Errorf("%w: %w", ErrConnection, err)
	}
	message, err := l.readMessage(nil)
	if err != nil {
		return welcome{}, fmt.Errorf("%w: %w", ErrConnection, err)
	}
	message = bytes.TrimSpace(message)
	f, err := parseFrame(message)
	if err != nil {
		return welcome{}, err
	}
	switch f.kind {
	case kindWelcome:
		w, err := parseWelcome(message)
		l.limit, l.silence = w.MaxMessage, silence(w.HeartbeatMS)
		return w, err
	case kindRefused:
		return welcome{}, parseRefused(message)
	default:
		return welcome{}, fmt.Errorf("%w: a frame %q instead of a welcome", errFrame, f.kind)
	}
}

// parseRefused makes an error of a refused frame.
func parseRefused(line []byte) error {
	var r refused
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("%w: the refusal: %w", errFrame, err)
	}
	switch r.Code {
	case refusedVersion:
		return fmt.Errorf("%w: %s", ErrVersion, r.Desc)
	case refusedBusy, refusedDisplaced:
		return fmt.Errorf("%w: %s", ErrBusy, r.Desc)
	}
	if r.Error != nil {
		return r.Error.fromWire()
	}
	return fmt.Errorf("%w: refused as %s: %s", ErrConnection, r.Code, r.Desc)
}

// asOpenError makes a [*tim.Error] of what dial returned. A client that did not
// come about has done nothing.
func asOpenError(err error) *tim.Error {
	var e *tim.Error
	if errors.As(err, &e) {
		return e
	}
	return notDone("open", connectCode(err), err)
}
