package egress

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// How far the clocks of the bridge, the bus and the IM service may be apart
// when a message is looked for. A random is never another message's, so that
// looking further back costs nothing but reading. Elements can be: further
// back, an earlier message of the same words is taken for the command's; less
// far, a clock that is behind makes a message overlooked and sent twice.
const (
	skewByRandom   = 10 * time.Minute
	skewByElements = 2 * time.Second
)

// Bounds of what is read of a conversation's history to settle doubts.
const (
	historyPage  = 100
	historyPages = 1000
)

var (
	errNoHistory    = errors.New("this driver cannot read history")
	errTooFarBack   = errors.New("history does not reach back to it, or too much was said since")
	errNotDecidable = errors.New("the IM service refuses to tell")
)

// repeatable says whether a send in doubt can be settled by sending it again:
// the service still knows its random by the time the repeat arrives.
func (e *Egress) repeatable(client tim.Client, it *item) bool {
	r, ok := client.(tim.Resender)
	if !ok || it.o.rand == 0 || it.o.doubt {
		return false
	}
	window := r.ResendWindow(it.cmd.Conversation.Type)
	return time.Now().Add(e.callTimeout(it)).Before(it.since.Add(window))
}

// settle looks for the message of a send in doubt in the history of its
// conversation. settled says that the doubt is over and the message was not
// posted, or that it is to be taken so.
func (e *Egress) settle(client tim.Client, l *lane, it *item, retry *backoff) (n next, settled bool, err error) {
	m, err := e.search(client, l, it)
	switch {
	case err == nil && m != nil:
		return next{verdict: e.sent(client, it, *m, true)}, false, nil
	case err == nil:
		// It is not there. A call that is still on its way could yet post it.
		if d := time.Until(it.called.Add(e.callTimeout(it))); !it.called.IsZero() && d > 0 {
			l.past = nil
			return next{wait: d}, false, nil
		}
		return next{}, true, nil
	case e.end.Err() != nil:
		return next{}, false, err
	case retryable(err):
		return next{wait: retry.next(retryAfter(err))}, false, nil
	case e.cfg.OnDoubt == OnDoubtRepeat:
		return next{}, true, nil
	}
	return next{verdict: errInDoubt(err.Error())}, false, nil
}

// conclude ends a command that cannot be carried out any more, for that
// reason, while an earlier attempt may have gone through.
func (e *Egress) conclude(client tim.Client, l *lane, it *item, why *mapping.OutcomeError, retry *backoff) (next, error) {
	failed := next{verdict: &verdict{err: why}}
	if it.cmd.Send != nil {
		l.past = nil
		n, settled, err := e.settle(client, l, it, retry)
		if err == nil && settled {
			return failed, nil
		}
		return n, err
	}
	so, known, err := e.holds(client, it)
	switch {
	case e.end.Err() != nil:
		return next{}, e.end.Err()
	case err != nil:
		return next{wait: retry.next(retryAfter(err))}, nil
	case so && known:
		return next{verdict: already(it)}, nil
	}
	return failed, nil
}

// past is what was read of a conversation's history: the acting account's
// messages since some time, newest first. Commands in doubt that follow each
// other in a lane share it.
type past struct {
	since, read time.Time
	own         []tim.Message
}

// search finds the message of a send, nil when it is not in the history. The
// error says why that cannot be told.
func (e *Egress) search(client tim.Client, l *lane, it *item) (*tim.Message, error) {
	h, ok := client.(tim.History)
	if !ok {
		return nil, errNoHistory
	}
	since := it.since.Add(-skewByElements)
	if it.o.rand != 0 {
		since = it.since.Add(-skewByRandom)
	}
	// A message that came after the history was read is not in what was read.
	if p := l.past; p == nil || p.since.After(since) || p.read.Before(it.called.Add(e.callTimeout(it))) {
		var err error
		if l.past, err = e.readPast(h, it, since); err != nil {
			return nil, err
		}
	}
	if it.o.rand != 0 {
		for i, m := range l.past.own {
			if m.Rand == uint64(it.o.rand) {
				return &l.past.own[i], nil
			}
		}
		return nil, nil
	}
	// The oldest that fits and is no other command's: those before it in the
	// lane have taken theirs.
	for i := len(l.past.own) - 1; i >= 0; i-- {
		m := &l.past.own[i]
		if before(m, since) || !sameContent(&it.cmd.Send.Message, m) || e.claimed(l, it, m) {
			continue
		}
		return m, nil
	}
	return nil, nil
}

// readPast reads the acting account's messages in the command's conversation.
func (e *Egress) readPast(h tim.History, it *item, since time.Time) (*past, error) {
	p := &past{since: since, read: time.Now()}
	query := tim.HistoryQuery{Count: historyPage}
	for range historyPages {
		ctx, cancel := context.WithTimeout(e.end, e.cfg.CallTimeout)
		page, err := h.Messages(ctx, it.cmd.Conversation, query)
		cancel()
		if err != nil {
			if te, ok := tim.AsError(err); ok && !retryable(err) {
				return nil, errors.Join(errNotDecidable, te)
			}
			return nil, err
		}
		for _, m := range page {
			if m.Sender == it.o.account && !before(&m, since) {
				p.own = append(p.own, m)
			}
		}
		if len(page) < historyPage || before(&page[len(page)-1], since) {
			return p, nil
		}
		query.Before = &page[len(page)-1]
	}
	return nil, errTooFarBack
}

// before compares a message's time, which has whole seconds.
func before(m *tim.Message, t time.Time) bool { return int64(m.ServerTime) < t.Unix() }

// claimed says whether a message is known to be another command's.
func (e *Egress) claimed(l *lane, it *item, m *tim.Message) bool {
	if c := e.CauseOf(m.Sender, m.Conversation(), m.Rand, m.MsgID); c != nil {
		return *c != *it.cmd.Cause()
	}
	k := claimKey(it.o.account, *m)
	e.mu.Lock()
	defer e.mu.Unlock()
	_, taken := e.state.claims.get(k)
	return taken || k == l.latest
}

// claimKey names a message among those taken for a command's.
func claimKey(account tim.UserID, m tim.Message) key {
	return hashKey("message", mapping.MessageID(account, m))
}

// sameContent says whether a message in history is what a command sent: the
// service may have added to its elements (an address, a size), but what was
// sent is in them. Files are known by what the command says of them.
func sameContent(sent, found *tim.Message) bool {
	if len(sent.Elems) != len(found.Elems) || sent.CloudCustomStr != found.CloudCustomStr {
		return false
	}
	for i := range sent.Elems {
		a, err := json.Marshal(sent.Elems[i])
		if err != nil {
			return false
		}
		b, err := json.Marshal(found.Elems[i])
		if err != nil || !bytes.Equal(a, b) && !contains(b, a) {
			return false
		}
	}
	return true
}

// contains says whether one JSON object has all that another has.
func contains(object, part []byte) bool {
	var have, want any
	if decodeNumbers(object, &have) != nil || decodeNumbers(part, &want) != nil {
		return false
	}
	return includes(have, want)
}

func decodeNumbers(b []byte, v *any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// ofService says whether the service, or the way to it, gives a member of an
// element with a file its value: the path it is sent from, and what was left open.
func ofService(key string, value any) bool {
	element, field, ok := strings.Cut(key, "_elem_")
	switch {
	case !ok || element != "image" && element != "sound" && element != "file" && element != "video":
		return false
	case strings.HasSuffix(field, "path"):
		return true
	}
	return value == "" || value == json.Number("0")
}

func includes(have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		if !ok {
			return false
		}
		for k, w := range want {
			if h, ok := have[k]; !ofService(k, w) && (!ok || !includes(h, w)) {
				return false
			}
		}
		return true
	case []any:
		have, ok := have.([]any)
		if !ok || len(have) != len(want) {
			return false
		}
		for i := range want {
			if !includes(have[i], want[i]) {
				return false
			}
		}
		return true
	}
	return have == want
}
