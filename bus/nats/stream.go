package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
)

// wanted is the configuration of a route's stream.
func wanted(cfg *Config, r *route) jetstream.StreamConfig {
	limit := func(n int64) int64 {
		if n <= 0 {
			return -1
		}
		return n
	}
	w := jetstream.StreamConfig{
		Name:               r.Name,
		Subjects:           []string{r.Subject + ".>"},
		Retention:          jetstream.LimitsPolicy,
		MaxConsumers:       -1,
		MaxMsgs:            limit(r.MaxMessages),
		MaxBytes:           limit(r.MaxBytes),
		MaxAge:             r.MaxAge,
		MaxMsgsPerSubject:  -1,
		MaxMsgSize:         int32(limit(int64(r.MaxMessageBytes))),
		Discard:            jetstream.DiscardOld,
		Storage:            jetstream.FileStorage,
		Replicas:           cfg.Replicas,
		Duplicates:         cfg.DuplicateWindow,
		AllowDirect:        true, // looking reads many messages by one request
		AllowAtomicPublish: true,
	}
	switch r.stream {
	case bus.Events:
		w.Description = "timbridge: what happens in chat"
	case bus.Commands:
		w.Description = "timbridge: what is to be done in chat"
		w.Discard = jetstream.DiscardNew // never drop a command that nobody has read
	case bus.Outcomes:
		w.Description = "timbridge: what came of each command"
	case bus.DeadLetters:
		w.Description = "timbridge: commands that came to nothing"
	}
	return w
}

// differences lists the settings that matter to us in which a stream is not as
// wanted.
func differences(have, want jetstream.StreamConfig) []Difference {
	var ds []Difference
	diff := func(setting string, have, want any) {
		if h, w := fmt.Sprint(have), fmt.Sprint(want); h != w {
			ds = append(ds, Difference{Setting: setting, Have: h, Want: w})
		}
	}
	unlimited := func(n int64) string {
		if n <= 0 {
			return "unlimited"
		}
		return strconv.FormatInt(n, 10)
	}
	slices.Sort(have.Subjects)
	diff("subjects", have.Subjects, want.Subjects)
	diff("retention", have.Retention, want.Retention)
	diff("max_msgs", unlimited(have.MaxMsgs), unlimited(want.MaxMsgs))
	diff("max_bytes", unlimited(have.MaxBytes), unlimited(want.MaxBytes))
	diff("max_age", have.MaxAge, want.MaxAge)
	diff("max_msgs_per_subject", unlimited(have.MaxMsgsPerSubject), unlimited(want.MaxMsgsPerSubject))
	diff("max_msg_size", unlimited(int64(have.MaxMsgSize)), unlimited(int64(want.MaxMsgSize)))
	diff("discard", have.Discard, want.Discard)
	diff("storage", have.Storage, want.Storage)
	diff("num_replicas", have.Replicas, want.Replicas)
	diff("no_ack", have.NoAck, want.NoAck)
	diff("duplicate_window", have.Duplicates, want.Duplicates)
	diff("sealed", have.Sealed, want.Sealed)
	diff("allow_direct", have.AllowDirect, want.AllowDirect)
	diff("allow_atomic", have.AllowAtomicPublish, want.AllowAtomicPublish)
	diff("persist_mode", have.PersistMode, want.PersistMode)
	diff("mirror", have.Mirror != nil, want.Mirror != nil)
	diff("subject_transform", have.SubjectTransform != nil, want.SubjectTransform != nil)
	diff("allow_msg_counter", have.AllowMsgCounter, want.AllowMsgCounter)
	return ds
}

// ensure creates the streams, or checks them, as the configuration says.
func (b *Bus) ensure(ctx context.Context) error {
	var errs []error
	for i := range b.routes {
		r := &b.routes[i]
		if err := b.ensureStream(ctx, r); err != nil {
			var ce *ConfigError
			if !errors.As(err, &ce) {
				return err
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (b *Bus) ensureStream(ctx context.Context, r *route) error {
	want := wanted(&b.cfg, r)
	info, err := b.info(ctx, r.Name)
	switch {
	case err == nil:
	case errors.Is(err, jetstream.ErrStreamNotFound):
		if b.cfg.Manage == bus.ManageCheck {
			return &ConfigError{Stream: r.Name, Missing: true}
		}
		s, err := b.js.CreateStream(ctx, want)
		if err != nil {
			return fmt.Errorf("create stream %q: %w", r.Name, err)
		}
		info = s.CachedInfo()
		b.log.Info("created stream", "stream", r.Name, "subjects", strings.Join(want.Subjects, " "))
	default:
		return err
	}
	ds := differences(info.Config, want)
	if len(ds) == 0 {
		return nil
	}
	if b.cfg.Manage == bus.ManageUpdate {
		if _, err := b.js.UpdateStream(ctx, want); err != nil {
			return fmt.Errorf("update stream %q: %w", r.Name, errors.Join(&ConfigError{Stream: r.Name, Differences: ds}, err))
		}
		b.log.Info("changed stream to its configuration", "stream", r.Name)
		return nil
	}
	return &ConfigError{Stream: r.Name, Differences: ds}
}

// info asks for a stream's state; its leader answers.
func (b *Bus) info(ctx context.Context, stream string) (*jetstream.StreamInfo, error) {
	var resp struct {
		*jetstream.StreamInfo
		Error *jetstream.APIError `json:"error"`
	}
	if err := b.api(ctx, "STREAM.INFO."+stream, nil, &resp); err != nil {
		return nil, err
	}
	if resp.Error != nil {
		return nil, fmt.Errorf("stream %q: %w", stream, resp.Error)
	}
	if resp.StreamInfo == nil {
		return nil, fmt.Errorf("stream %q: the server gave no state", stream)
	}
	return resp.StreamInfo, nil
}

// api asks JetStream.
func (b *Bus) api(ctx context.Context, subject string, req, resp any) error {
	var body []byte
	if req != nil {
		var err error
		if body, err = json.Marshal(req); err != nil {
			return fmt.Errorf("write request: %w", err)
		}
	}
	subject = jetstream.DefaultAPIPrefix + subject
	m, err := b.request(ctx, &nats.Msg{Subject: subject, Data: body}, subject)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(m.Data, resp); err != nil {
		return fmt.Errorf("read answer of %s: %w", subject, err)
	}
	return nil
}

// request sends a message and waits for the answer.
func (b *Bus) request(ctx context.Context, msg *nats.Msg, prefix string) (*nats.Msg, error) {
	ctx, done, err := b.conn.ask(ctx, prefix, b.cfg.RequestTimeout)
	if err != nil {
		return nil, err
	}
	defer done()
	m, err := b.conn.nc.RequestMsgWithContext(ctx, msg)
	if err == nil {
		return m, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return nil, err
}

// stored is a message as a stream holds it.
type stored struct {
	subject  string
	sequence uint64
	header   nats.Header
	data     []byte
	time     time.Time
}

// getRequest asks for one message: of a sequence, or the next one from a
// sequence or a time.
type getRequest struct {
	Seq   uint64     `json:"seq,omitempty"`
	Next  string     `json:"next_by_subj,omitempty"`
	Last  string     `json:"last_by_subj,omitempty"`
	Start *time.Time `json:"start_time,omitempty"`
}

// errNoMessage says that a stream has no such message.
var errNoMessage = errors.New("no such message")

// get asks the stream's leader for a message exactly as it was stored; a
// direct get may be answered by a replica that is behind.
func (b *Bus) get(ctx context.Context, stream string, req getRequest) (stored, error) {
	var resp struct {
		Message *struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := b.api(ctx, "STREAM.MSG.GET."+stream, req, &resp); err != nil {
		return stored{}, err
	}
	if resp.Error != nil {
		if resp.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return stored{}, errNoMessage
		}
		return stored{}, fmt.Errorf("stream %q: %w", stream, resp.Error)
	}
	if resp.Message == nil {
		return stored{}, fmt.Errorf("stream %q: the server gave no message", stream)
	}
	m := stored{subject: resp.Message.Subject, sequence: resp.Message.Sequence, data: resp.Message.Data, time: resp.Message.Time}
	if len(resp.Message.Header) > 0 {
		h, err := nats.DecodeHeadersMsg(resp.Message.Header)
		if err != nil {
			// A message may hold headers that are none; it has none then, as
			// when a consumer delivers it.
			h = nil
		}
		m.header = h
	}
	return m, nil
}

// incarnation tells one life of a stream from the next.
func incarnation(info *jetstream.StreamInfo) string {
	return info.Created.UTC().Format(time.RFC3339Nano)
}
