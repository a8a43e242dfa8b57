package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

// mediaStore are the files that were sent, on disk: one for each content, by
// the name of its SHA-256. A file is complete and on disk before anybody hears
// of it.
type mediaStore struct {
	dir string
	log hclog.Logger

	making sync.Mutex // held while pictures are looked into, which takes memory

	mu     sync.Mutex
	pinned map[string]int // contents on their way into the library

	// The sandbox's lock guards the rest.
	base      string // where downloads are, "" while nobody serves them
	nextSweep int64
	gone      []goneMedia
}

// goneMedia are contents to be removed once that is on record.
type goneMedia struct {
	batch *batch
	sums  []string
}

// partPrefix begins the name of a file that is not complete.
const partPrefix = "part-"

// newMediaStore makes a store, and removes what a process that died has left of
// uploads that nobody was told of.
func newMediaStore(dir string, l *library, log hclog.Logger) (*mediaStore, error) {
	ms := &mediaStore{dir: dir, log: log, pinned: map[string]int{}}
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return ms, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sandbox: the media directory: %w", err)
	}
	for _, f := range files {
		name := f.Name()
		if !strings.HasPrefix(name, partPrefix) && (!validSum(name) || l.refs[name] > 0) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("sandbox: the media directory: %w", err)
		}
	}
	return ms, nil
}

func validSum(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// path is where a content is.
func (ms *mediaStore) path(sum string) string { return filepath.Join(ms.dir, sum) }

// keep writes exactly size bytes to disk and gives their sum, which stays
// pinned until unpin is called.
func (ms *mediaStore) keep(r io.Reader, size int64) (sum string, err error) {
	if err := (journal.OS{}).MkdirAll(ms.dir); err != nil {
		return "", fmt.Errorf("make the media directory: %w", err)
	}
	f, err := os.CreateTemp(ms.dir, partPrefix+"*")
	if err != nil {
		return "", fmt.Errorf("make a file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // it is removed
			_ = os.Remove(f.Name())
		}
	}()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), io.LimitReader(r, size+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("take the file: %w", err)
	case n < size:
		return "", fmt.Errorf("take the file: %w: %d of %d bytes", io.ErrUnexpectedEOF, n, size)
	case n > size:
		return "", fmt.Errorf("take the file: it has more than the %d bytes that were said", size)
	}
	if err := f.Sync(); err != nil {
		return "", fmt.Errorf("sync the file: %w", err)
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("close the file: %w", err)
	}
	sum = hex.EncodeToString(hash.Sum(nil))
	ms.mu.Lock()
	ms.pinned[sum]++
	if there, statErr := os.Stat(ms.path(sum)); statErr == nil && there.Size() == size {
		err = os.Remove(f.Name()) // somebody may be reading the other
	} else {
		err = os.Rename(f.Name(), ms.path(sum))
	}
	ms.mu.Unlock()
	if err == nil {
		err = (journal.OS{}).SyncDir(ms.dir)
	}
	if err != nil {
		ms.unpin(sum)
		return "", fmt.Errorf("name the file: %w", err)
	}
	return sum, nil
}

func (ms *mediaStore) unpin(sum string) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if ms.pinned[sum]--; ms.pinned[sum] == 0 {
		delete(ms.pinned, sum)
	}
}

// removeGone removes the contents whose removal is on record. What cannot be
// removed now is at the next start.
func (ms *mediaStore) removeGone(l *library) {
	for len(ms.gone) > 0 {
		g := ms.gone[0]
		select {
		case <-g.batch.done:
		default:
			return
		}
		ms.gone = ms.gone[1:]
		if g.batch.err != nil {
			continue
		}
		ms.mu.Lock()
		for _, sum := range g.sums {
			if l.refs[sum] > 0 || ms.pinned[sum] > 0 {
				continue // sent anew meanwhile
			}
			if err := os.Remove(ms.path(sum)); err != nil && !errors.Is(err, os.ErrNotExist) {
				ms.log.Warn("a file cannot be removed", "error", err)
			}
		}
		ms.mu.Unlock()
	}
}

// newMediaID gives an id of 130 bits.
func newMediaID() mediaID { return mediaID(rand.Text()) }

// maxMediaName is how long a file's name may be, in bytes.
const maxMediaName = 200

// mediaName is the last part of a path as a name for downloads.
func mediaName(path string) string {
	name := path[strings.LastIndexAny(path, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	for len(name) > maxMediaName {
		name = name[1:]
	}
	name = strings.ToValidUTF8(name, "")
	if name == "" || name == "." || name == ".." {
		return "file"
	}
	return name
}

// Upload takes a file; see [tim.Uploader]. It is on disk when Upload returns.
// The same content under the same name from the same account has the same id.
func (c *Client) Upload(ctx context.Context, name string, size int64, r io.Reader) (tim.Upload, error) {
	const op = "upload"
	var up tim.Upload
	err := c.do(ctx, op, CallUpload, "", func() error {
		f, err := c.upload(ctx, op, name, size, r)
		if err == nil {
			up = tim.Upload{ID: string(f.id), URL: c.s.mediaURL(f.id, f.name), Size: f.size}
		}
		return err
	})
	return up, err
}

func (c *Client) upload(ctx context.Context, op, name string, size int64, r io.Reader) (mediaFile, error) {
	most := c.s.opts.Limits.MediaBytes
	switch {
	case size <= 0:
		return mediaFile{}, refuse(op, tim.CodeSDKCommFileSizeEmpty, "the file is empty")
	case most > 0 && size > most:
		return mediaFile{}, refuse(op, tim.CodeSDKCommFileTooLarge, "the file has %d bytes, the most is %d", size, most)
	}
	if err := c.roomForMedia(op, size); err != nil {
		return mediaFile{}, err
	}
	sum, err := c.s.media.keep(&contextReader{ctx, r}, size)
	if err != nil {
		return mediaFile{}, &tim.Error{Op: op, Code: tim.CodeFileTransUploadFailed, Effect: tim.EffectNotDone, Err: err}
	}
	defer c.s.media.unpin(sum)
	ss, err := c.begin(op)
	if err != nil {
		return mediaFile{}, err
	}
	f := mediaFile{
		id: newMediaID(), sum: sum, name: mediaName(name), owner: ss.account.id, size: size,
		time: max(c.s.now(), c.s.st.lastTime),
	}
	b := c.s.settled()
	if m := c.s.st.library.files[c.s.st.library.known[f.key()]]; m != nil {
		m.used = f.time
		f = m.mediaFile
	} else {
		_, b = c.s.write(&mediaRecord{f})
	}
	c.s.mu.Unlock()
	return f, b.wait(ctx, op)
}

// roomForMedia checks that somebody is signed in, and the bound on all files.
func (c *Client) roomForMedia(op string, size int64) error {
	if _, err := c.begin(op); err != nil {
		return err
	}
	defer c.s.mu.Unlock()
	if most := c.s.opts.Limits.MediaTotalBytes; most > 0 && c.s.st.library.bytes+size > most {
		return refuse(op, tim.CodeFileTransUploadFailed, "all files together may have %d bytes", most)
	}
	return nil
}

// contextReader stops when a context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements [io.Reader].
func (c *contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
