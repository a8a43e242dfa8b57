package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// batchBytes is how much is written as one WebSocket message where many frames
// wait: enough to make the system call cheap, little enough to let a
// heartbeat through on a slow line.
const batchBytes = 64 << 10

// readChunk is how much is read at once; each chunk counts as a sign of life.
const readChunk = 32 << 10

var (
	errSilent  = errors.New("the peer has gone silent")
	errStalled = errors.New("the peer does not read")
	errEnded   = errors.New("the connection was ended here")
)

// endpoint is what a link carries frames for.
type endpoint interface {
	// gather appends frames that wait to be written, each with its line end,
	// while they fit into limit bytes; the first one always fits. It is
	// called by one goroutine.
	gather(dst []byte, limit int) []byte
	// take handles a frame, which it may keep. It is called by one goroutine,
	// in order, and does not block. An error ends the link.
	take(frame) error
}

// link is one WebSocket connection as both sides use it: frames in both
// directions, several to a message, heartbeats, and an end with a cause.
type link struct {
	ws      *websocket.Conn
	ctx     context.Context
	cancel  context.CancelCauseFunc
	beat    time.Duration
	silence time.Duration // set before run
	limit   int           // set before run: the longest message that the peer takes

	wake    chan struct{}
	due     atomic.Bool // a ping is due
	epoch   time.Time
	heard   atomic.Int64 // since epoch, when bytes last came in
	said    atomic.Int64 // since epoch, when a write last ended
	writing atomic.Int64 // since epoch, when the write under way began; 0 when there is none
	closing sync.Once
	closed  chan struct{} // the close handshake is over, where shutdown was called
	last    atomic.Bool   // nothing will be added to what waits to be written
	flushed chan struct{} // all of that was written
}

func newLink(ctx context.Context, ws *websocket.Conn, beat time.Duration, maxMessage int) *link {
	ws.SetReadLimit(int64(maxMessage))
	ctx, cancel := context.WithCancelCause(ctx)
	return &link{
		ws: ws, ctx: ctx, cancel: cancel, beat: beat,
		wake: make(chan struct{}, 1), epoch: time.Now(), closed: make(chan struct{}),
		flushed: make(chan struct{}),
	}
}

// notify tells the writer that something may wait. It never blocks.
func (l *link) notify() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// fail ends the link at once; the first cause is the one that counts.
func (l *link) fail(cause error) { l.cancel(cause) }

// run carries frames until the link ends, and returns why. Its goroutines are
// gone when it returns.
func (l *link) run(e endpoint) error {
	l.heard.Store(l.now())
	l.said.Store(l.now())
	var wg sync.WaitGroup
	wg.Go(func() { l.write(e) })
	wg.Go(l.watch)
	cause := l.read(e)
	if errors.Is(cause, errFrame) {
		l.shutdown(websocket.StatusProtocolError, closeReason(cause), time.Second)
		<-l.closed
	}
	l.fail(cause)
	wg.Wait()
	l.closing.Do(func() { close(l.closed) })
	<-l.closed
	_ = l.ws.CloseNow() // frees the connection; what ended it is known
	if errors.Is(cause, errFrame) {
		return cause
	}
	return context.Cause(l.ctx)
}

// refuse ends a link that never ran, with a last frame that says why.
func (l *link) refuse(no *refused) {
	timer := time.AfterFunc(time.Second, func() { l.fail(errEnded) })
	defer timer.Stop()
	if frame, err := json.Marshal(no); err == nil && l.writeMessage(append(frame, '\n')) == nil {
		_ = l.ws.Close(websocket.StatusPolicyViolation, no.Code) // the frame has said it
	}
	l.discard()
}

// discard frees a link that never ran.
func (l *link) discard() {
	l.fail(errEnded)
	l.closing.Do(func() { close(l.closed) })
	<-l.closed
	_ = l.ws.CloseNow() // it is of no further use
}

// closeReason is an error as the reason of a close frame, which holds 123 bytes.
func closeReason(err error) string {
	reason := strings.ToValidUTF8(err.Error(), "?")
	for len(reason) > 123 {
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	return reason
}

// shutdown writes what waits and ends the link with a close handshake, all
// within wait. It returns at once; run returns when the handshake is over.
func (l *link) shutdown(code websocket.StatusCode, reason string, wait time.Duration) {
	l.closing.Do(func() {
		go func() {
			defer close(l.closed)
			timer := time.AfterFunc(wait, func() { l.fail(errEnded) })
			defer timer.Stop()
			l.last.Store(true)
			l.notify()
			select {
			case <-l.flushed:
			case <-l.ctx.Done():
			}
			_ = l.ws.Close(code, reason) // a peer that is gone need not answer
			l.fail(errEnded)
		}()
	})
}

// now is the time since the link began, never 0.
func (l *link) now() int64 { return int64(time.Since(l.epoch)) + 1 }

func (l *link) read(e endpoint) error {
	buf := make([]byte, 0, readChunk)
	for {
		var err error
		if buf, err = l.readMessage(buf[:0]); err != nil {
			return err
		}
		// What the frames hold on to is a copy of just the right size.
		message := bytes.Clone(buf)
		for len(message) > 0 {
			var line []byte
			line, message, _ = bytes.Cut(message, []byte{'\n'})
			if len(line) == 0 {
				continue
			}
			f, err := parseFrame(line)
			if err != nil {
				return err
			}
			if err := e.take(f); err != nil {
				return err
			}
		}
		if cap(buf) > 8*readChunk {
			buf = make([]byte, 0, readChunk)
		}
	}
}

// readMessage reads one WebSocket message into buf.
func (l *link) readMessage(buf []byte) ([]byte, error) {
	_, r, err := l.ws.Reader(l.ctx)
	if err != nil {
		return buf, err
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), len(buf)+readChunk)])
		buf = buf[:len(buf)+n]
		l.heard.Store(l.now())
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

func (l *link) write(e endpoint) {
	var buf []byte
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.wake:
		}
		// Whoever else is about to have something written gets to it first:
		// with many at once, that makes few messages of many frames.
		runtime.Gosched()
		for {
			last := l.last.Load()
			buf = e.gather(buf[:0], min(l.limit, batchBytes))
			if len(buf) == 0 && l.due.Load() {
				buf = appendPing(buf)
			}
			if len(buf) == 0 && last {
				close(l.flushed)
				return
			}
			if len(buf) == 0 {
				break
			}
			if err := l.writeMessage(buf); err != nil {
				l.fail(err)
				return
			}
			if cap(buf) > 8*batchBytes {
				buf = nil
			}
		}
	}
}

// writeMessage writes frames as one WebSocket message. It is for the
// handshake too, before run.
func (l *link) writeMessage(frames []byte) error {
	l.writing.Store(l.now())
	err := l.ws.Write(l.ctx, websocket.MessageText, frames)
	l.writing.Store(0)
	l.said.Store(l.now())
	l.due.Store(false)
	return err
}

// watch sends heartbeats and ends the link when the peer is silent or does not
// read.
func (l *link) watch() {
	interval := max(min(l.beat, l.silence)/4, time.Millisecond)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	seen := l.now()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-ticker.C:
		}
		now := l.now()
		if now-seen > int64(2*interval) {
			// It was this process that stood still. What the peer has sent
			// meanwhile is about to be read.
			l.heard.Store(now)
			if began := l.writing.Load(); began != 0 {
				l.writing.CompareAndSwap(began, now)
			}
		}
		seen = now
		switch began := l.writing.Load(); {
		case now-l.heard.Load() > int64(l.silence):
			l.fail(fmt.Errorf("%w: nothing heard for %v", errSilent, l.silence))
			return
		case began != 0 && now-began > int64(l.silence):
			l.fail(fmt.Errorf("%w: a write has not ended after %v", errStalled, l.silence))
			return
		case now-l.said.Load() >= int64(l.beat/2):
			l.due.Store(true)
			l.notify()
		}
	}
}
