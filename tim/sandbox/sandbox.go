package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

// Sandbox is an IM service. It implements [tim.Driver] in process; [Sandbox.Handler]
// serves it over the network. All methods may be called from several goroutines.
type Sandbox struct {
	opts     Options
	log      hclog.Logger
	journal  *journal.Journal
	accounts map[tim.UserID]bool // nil: open
	admins   map[tim.UserID]bool
	asked    map[tim.UserID]bool // before they are brought into a group
	faults   *Faults
	delivery delivery

	snapshotting sync.Mutex // held while one is made

	mu       sync.Mutex
	st       *state
	position uint64 // of the last record applied
	durable  uint64 // of the last entry on disk
	pending  *batch // takes what is written now
	inFlight *batch // is on its way to disk, or there
	acks     map[ackKey][]uint64
	ackTime  time.Time // since when the oldest of them waits
	failed   error
	full     bool
	closed   bool
	clients  map[*Client]struct{}
	// sinceSnapshot is how much was written since the last snapshot, and
	// snapshotBytes how long that one was.
	sinceSnapshot, snapshotBytes int64
	lastSnapshot                 uint64 // its position
	trimmed                      time.Time
	handlers                     map[*Handler]struct{}     // serve the sandbox now
	watchers                     map[tim.UserID][]*session // want to be told of a user's status
	media                        *mediaStore

	failure      chan struct{} // closed when failed is set
	stop         chan struct{} // closed to end the goroutines
	wake         chan struct{} // the committer has something to do
	wakeSnapshot chan struct{}
	committer    sync.WaitGroup
	helpers      sync.WaitGroup
}

// Open opens the sandbox that is kept in dir, and makes one where there is
// none. One directory belongs to one process at a time.
func Open(dir string, opts Options) (*Sandbox, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if opts.Journal.Now == nil {
		opts.Journal.Now = opts.Now
	}
	j, err := journal.Open(dir, opts.Journal)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s := &Sandbox{
		opts: opts, log: opts.Logger, journal: j, admins: setOf(opts.Admins), asked: setOf(opts.AskInvitees),
		pending: newBatch(), inFlight: newBatch(), acks: map[ackKey][]uint64{},
		watchers: map[tim.UserID][]*session{},
		clients:  map[*Client]struct{}{}, handlers: map[*Handler]struct{}{}, trimmed: time.Now(),
		failure: make(chan struct{}), stop: make(chan struct{}),
		wake: make(chan struct{}, 1), wakeSnapshot: make(chan struct{}, 1),
	}
	s.faults = newFaults(s)
	close(s.inFlight.done)
	if opts.Accounts != nil {
		s.accounts = setOf(opts.Accounts)
	}
	if err := s.restore(); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	if opts.MediaDir == "" {
		opts.MediaDir = filepath.Join(dir, "media")
	}
	if s.media, err = newMediaStore(opts.MediaDir, &s.st.library, s.log); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	s.committer.Go(s.commitLoop)
	s.helpers.Go(s.tickLoop)
	s.helpers.Go(s.snapshotLoop)
	return s, nil
}

func setOf(users []tim.UserID) map[tim.UserID]bool {
	set := make(map[tim.UserID]bool, len(users))
	for _, u := range users {
		set[u] = true
	}
	return set
}

// restore brings the state back from the newest good snapshot and the journal
// after it.
func (s *Sandbox) restore() error {
	start := time.Now()
	s.st = newState(s.opts.Limits)
	snapshots, damaged := s.journal.Snapshots()
	for _, err := range damaged {
		s.log.Warn("a snapshot cannot be read; an older one or the whole journal does as well", "error", err)
	}
	var from uint64
	for _, snap := range snapshots {
		st, err := decodeSnapshot(snap, s.opts.Limits)
		if err != nil {
			s.log.Warn("a snapshot cannot be understood", "position", snap.Position, "error", err)
			continue
		}
		s.st, from, s.lastSnapshot = st, snap.Position, snap.Position
		for _, section := range snap.Sections {
			s.snapshotBytes += int64(len(section.Body))
		}
		break
	}
	if first := s.journal.First(); first > from+1 {
		return fmt.Errorf("sandbox: no snapshot can be read, and the journal goes back to entry %d only", first)
	}
	if lost := s.journal.Repairs(); len(lost) > 0 {
		for _, stretch := range lost {
			s.log.Error("entries were lost in a repair", "first", stretch.First, "last", stretch.Last, "reason", stretch.Reason)
		}
		if err := s.journal.ClearRepairs(); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
	}
	s.st.replaying = true
	entries := 0
	err := s.journal.Scan(from+1, func(e journal.Entry) error {
		r, err := decodeRecord(e.Body)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Position, err)
		}
		if send, ok := r.(*sendRecord); ok {
			send.content = append([]byte(nil), send.content...)
		}
		s.st.apply(e.Position, r)
		entries++
		s.sinceSnapshot += int64(len(e.Body))
		return nil
	})
	s.st.replaying = false
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	s.position = max(s.journal.Last(), from)
	s.durable = s.position
	s.log.Debug("opened", "accounts", len(s.st.accounts), "groups", len(s.st.groups),
		"messages", len(s.st.kept), "entries", entries, "took", time.Since(start))
	return nil
}

// Open makes a client, which is not signed in yet. It implements [tim.Driver].
func (s *Sandbox) Open(ctx context.Context, config tim.Config) (tim.Client, error) {
	c, err := s.open(ctx, config, false)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// open makes a client, for somebody in this process or on the network.
func (s *Sandbox) open(ctx context.Context, config tim.Config, remote bool) (*Client, error) {
	const op = "open"
	if err := ctx.Err(); err != nil {
		return nil, &tim.Error{Op: op, Code: tim.CodeRequestTimeOut, Effect: tim.EffectNotDone, Err: err}
	}
	if config.SDKAppID != s.opts.SDKAppID {
		return nil, refuse(op, tim.CodeSvrAccountSDKAppIDNotFound, "this is sdkappid %d, not %d", s.opts.SDKAppID, config.SDKAppID)
	}
	c := &Client{s: s, remote: remote}
	if d := config.DeviceInfo; d != nil {
		c.device = device{Platform: d.Platform, ID: d.DevID}
	}
	if c.device.Platform > maxPlatform {
		return nil, refuse(op, tim.CodeInvalidParameters, "platform %d is not known", c.device.Platform)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(op); err != nil && s.closed {
		return nil, err
	}
	s.clients[c] = struct{}{}
	return c, nil
}

// Faults are the troubles that the sandbox makes on request.
func (s *Sandbox) Faults() *Faults { return s.faults }

// Failed is closed when nothing can be stored any more; Err then says why. The
// process has to end then: what was answered is on disk.
func (s *Sandbox) Failed() <-chan struct{} { return s.failure }

// Err is why the sandbox can store nothing now, nil while it can.
func (s *Sandbox) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failed != nil:
		return s.failed
	case s.closed:
		return ErrClosed
	case s.full:
		return journal.ErrFull
	}
	return nil
}

// Stats says what the sandbox holds.
type Stats struct {
	Accounts  int   `json:"accounts"`
	Groups    int   `json:"groups"`     // dismissed ones included
	Messages  int   `json:"messages"`   // kept for reading back
	Sessions  int   `json:"sessions"`   // signed in now
	Reports   int   `json:"reports"`    // that wait for someone
	Files     int   `json:"files"`      // that were sent, thumbnails included
	FileBytes int64 `json:"file_bytes"` // each content once
	// Position is that of the last change in the journal, and Durable that of
	// the last one on disk.
	Position uint64 `json:"position"`
	Durable  uint64 `json:"durable"`
	Bytes    int64  `json:"bytes"` // of the journal and its snapshots on disk
}

// Stats says what the sandbox holds now.
func (s *Sandbox) Stats() Stats {
	disk := s.journal.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{
		Accounts: len(s.st.accounts), Groups: len(s.st.groups), Messages: len(s.st.kept),
		Files: len(s.st.files), FileBytes: s.st.library.bytes,
		Position: s.position, Durable: s.durable, Bytes: disk.Bytes + disk.SnapshotBytes,
	}
	for _, a := range s.st.accounts {
		stats.Sessions += len(a.sessions)
		stats.Reports += len(a.inbox) - a.dead
	}
	return stats
}

// Close closes all handlers and clients, puts everything on disk and frees the
// directory.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	handlers, clients := slices.Collect(maps.Keys(s.handlers)), slices.Collect(maps.Keys(s.clients))
	s.mu.Unlock()
	for _, h := range handlers {
		_ = h.Close() // it never fails
	}
	for _, c := range clients {
		_ = c.Close() // it never fails
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.stop)
	s.mu.Unlock()
	s.helpers.Wait()
	s.committer.Wait()
	s.delivery.wg.Wait()
	if err := s.journal.Close(); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

const (
	tickPause = 100 * time.Millisecond
	trimPause = time.Minute
)

// tickLoop does what is due by the clock.
func (s *Sandbox) tickLoop() {
	ticker := time.NewTicker(tickPause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.Tick()
		case <-s.stop:
			return
		}
	}
}

// Tick does what is due by the clock: UserSigs that have run out, history and
// reports that are too old. It happens by itself ten times a second; a test
// that has moved Options.Now calls it so as not to wait.
func (s *Sandbox) Tick() {
	if s.fullNow() && s.roomAgain() {
		s.setFull(false)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if len(s.acks) > 0 {
		s.wakeCommitter()
	}
	now := s.opts.Now()
	for c := range s.clients {
		if c.session != nil {
			c.session.checkSig(now)
		}
	}
	s.faults.tick()
	s.sweepMedia(max(now.UnixNano(), s.st.lastTime))
	if time.Since(s.trimmed) < trimPause {
		return
	}
	s.trimmed = time.Now()
	t := max(now.UnixNano(), s.st.lastTime)
	s.st.trim(t)
	s.st.resent.expire(t)
	for _, a := range s.st.accounts {
		a.trim(s.opts.Limits.Reports, s.st.oldestReport(t))
	}
}

// roomAgain asks the journal whether it takes ordinary appends. It has to be
// asked: as nothing is accepted, no append would ever find out.
func (s *Sandbox) roomAgain() bool {
	ctx, cancel := context.WithTimeout(context.Background(), tickPause/2)
	defer cancel()
	return s.journal.Writable(ctx) == nil
}

func (s *Sandbox) fullNow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

// now is the time of something that happens now.
func (s *Sandbox) now() int64 { return s.opts.Now().UnixNano() }

// exists says whether an account can be used.
func (s *Sandbox) exists(user tim.UserID) bool {
	return s.accounts == nil || s.accounts[user] || s.admins[user]
}

const maxUserBytes = 32

// validUser says whether an id can be a user's: nobody speaks as the service.
func validUser(user tim.UserID) bool {
	return printable(string(user), maxUserBytes) && user != tim.SystemUser
}

// printable says whether text is 1 to most bytes of printable ASCII.
func printable(text string, most int) bool {
	if len(text) == 0 || len(text) > most {
		return false
	}
	for i := range len(text) {
		if text[i] < 0x20 || text[i] > 0x7e {
			return false
		}
	}
	return true
}
