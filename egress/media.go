package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

const (
	// mediaTries is how often a file is tried to be fetched before the command
	// fails: a host that is down must not hold up a lane for a day.
	mediaTries = 5
	// mediaSends is how many sends fetch or hand over files at a time, mediaKept
	// how many bytes of files are kept for sends that wait for another attempt;
	// beyond it they are fetched again.
	mediaSends = 4
	mediaKept  = 256 << 20
	// maxFileName bounds what is taken of a file's name, in bytes.
	maxFileName = 100
)

// media keeps the files of messages between the command and the call: each
// send's in a folder of its own, which is removed when the send has ended.
type media struct {
	dir   string // "" where no files can be kept
	max   int64
	fetch func(ctx context.Context, address string, to io.Writer) (int64, error)
	slots chan struct{}
	kept  atomic.Int64 // bytes
}

func newMedia(cfg Config, fetch func(context.Context, string, io.Writer) (int64, error)) *media {
	return &media{dir: cfg.MediaDir, max: cfg.MediaMaxBytes, fetch: fetch, slots: make(chan struct{}, mediaSends)}
}

// clean removes what an earlier process left.
func (m *media) clean() error {
	if m.dir == "" {
		return nil
	}
	if err := os.RemoveAll(m.dir); err != nil {
		return fmt.Errorf("egress: remove old files of messages: %w", err)
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return fmt.Errorf("egress: folder for files of messages: %w", err)
	}
	return nil
}

// files are the files of one send.
type files struct {
	dir   string
	bytes int64
	elems []tim.Elem // the message's, with the files' paths in them
}

// enter waits until the send may fetch and hand over files, and leave lets the
// next one.
func (m *media) enter(ctx context.Context) error {
	select {
	case m.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *media) leave() { <-m.slots }

// prepare has the files of a send in place. An error is a [*mediaError] or
// that of ctx.
func (m *media) prepare(ctx context.Context, send *mapping.Send) (_ *files, err error) {
	if m.dir == "" {
		return nil, mediaErrorf(mapping.CodeUnsupported, "this bridge has no folder for files of messages")
	}
	f := &files{elems: slices.Clone(send.Message.Elems)}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.remove(f))
		}
	}()
	f.dir = filepath.Join(m.dir, uuid.NewString())
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		f.dir = ""
		return nil, notKept(err)
	}
	for i, want := range send.Media {
		// Each has a folder of its own, so that it keeps its name: receivers see it.
		folder := filepath.Join(f.dir, strconv.Itoa(i))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return nil, notKept(err)
		}
		path := filepath.Join(folder, fileName(want))
		n, err := m.write(ctx, path, want)
		f.bytes += n
		m.kept.Add(n)
		if e := (*mediaError)(nil); errors.As(err, &e) {
			e.field = want.Field()
		}
		if err != nil {
			return nil, err
		}
		if err := want.SetFile(f.elems, path, n); err != nil {
			return nil, fmt.Errorf("egress: %w", err)
		}
	}
	return f, nil
}

// write puts one file in its place.
func (m *media) write(ctx context.Context, path string, want mapping.Media) (n int64, err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, notKept(err)
	}
	defer func() {
		if cerr := out.Close(); cerr != nil && err == nil {
			err = notKept(cerr)
		}
	}()
	if want.URL != "" {
		n, err = m.fetch(ctx, want.URL, out)
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return n, err
	}
	if int64(len(want.Data)) > m.max {
		return 0, mediaErrorf(mapping.CodeMediaTooLarge, "it has more than %d bytes (egress.media_max_bytes)", m.max)
	}
	k, err := out.Write(want.Data)
	if err != nil {
		err = notKept(err)
	}
	return int64(k), err
}

// remove takes a send's files away; nil has none.
func (m *media) remove(f *files) error {
	if f == nil || f.dir == "" {
		return nil
	}
	m.kept.Add(-f.bytes)
	dir := f.dir
	f.dir, f.bytes = "", 0
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("egress: remove files of a message: %w", err)
	}
	return nil
}

func notKept(err error) *mediaError {
	return &mediaError{
		code: mapping.CodeMediaUnreachable, text: "the file cannot be kept for a moment: " + err.Error(), again: true, local: true,
	}
}

// fileName is what a file is called in its folder, which is what the receivers
// of some elements see: the name that the command gives, or that of its
// address, without anything that has a meaning to a file system.
func fileName(m mapping.Media) string {
	name := m.Name
	if name == "" && m.URL != "" {
		name, _, _ = strings.Cut(m.URL, "?")
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	if len(name) > maxFileName {
		ext := filepath.Ext(name)
		if len(ext) > 16 {
			ext = ""
		}
		name = strings.ToValidUTF8(name[:maxFileName-len(ext)], "") + ext
	}
	if strings.Trim(name, ". ") == "" {
		return "file"
	}
	return name
}

// callTimeout is how long an answer to the command's call is waited for.
func (e *Egress) callTimeout(it *item) time.Duration {
	if it.cmd.Send != nil && len(it.cmd.Send.Media) > 0 {
		return e.cfg.CallTimeout + e.cfg.MediaTimeout
	}
	return e.cfg.CallTimeout
}

// tryWithFiles makes an attempt at a send whose message has files, or has them
// fetched for the next.
func (e *Egress) tryWithFiles(client tim.Client, l *lane, it *item, retry *backoff) (next, error) {
	if err := e.media.enter(e.stop); err != nil {
		return next{}, err
	}
	defer e.media.leave()
	if it.files == nil {
		// That takes its time: afterwards everything is looked at again.
		return e.fetch(client, l, it, retry)
	}
	n, err := e.tryOnce(client, l, it, retry)
	if n.verdict == nil && e.media.kept.Load() > mediaKept {
		e.dropFiles(it)
	}
	return n, err
}

// fetch has the files of a send fetched, and says what is to be done when they
// cannot be: the send ends, or they are tried again after a wait.
func (e *Egress) fetch(client tim.Client, l *lane, it *item, retry *backoff) (next, error) {
	e.count(func(s *Stats) { s.MediaFetches++ })
	f, err := e.media.prepare(e.stop, it.cmd.Send)
	if err == nil {
		it.files, it.fetches = f, 0
		return next{}, nil
	}
	if e.stop.Err() != nil {
		return next{}, e.stop.Err()
	}
	failed := (*mediaError)(nil)
	if !errors.As(err, &failed) {
		failed = mediaErrorf(mapping.CodeMediaUnreachable, "%v", err)
	}
	if !failed.local {
		it.fetches++
	}
	if failed.again && it.fetches < mediaTries {
		e.log.Debug("a file of a message is fetched again later", "account", it.o.account, "code", failed.code)
		return next{wait: retry.next(min(failed.after, e.cfg.RetryMax))}, nil
	}
	if it.doubt { // an earlier attempt may have gone through
		return e.conclude(client, l, it, failed.outcome(), retry)
	}
	return next{verdict: &verdict{err: failed.outcome()}}, nil
}

// dropFiles removes a send's files.
func (e *Egress) dropFiles(it *item) {
	if err := e.media.remove(it.files); err != nil {
		e.log.Warn("files of a message are left until the next start", "error", err)
	}
	it.files = nil
}
