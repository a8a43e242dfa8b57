package ingress

import (
	"context"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// How far a talk was read, and by how many a message, history shows of the
// account's own messages. What it shows has other ids than the report of it
// would have had: up to when a talk was read is the time of a message, a receipt
// has no time, and members have come and gone since. So how far each was told to
// be read is remembered as a number that only rises.

// reader is what was read, by whom: the hash of a talk and its reader, or of a
// message of the account's own.
type reader struct {
	key hash
	// far is up to when, or by how many; 0 when the reader is none.
	far int64
}

// readerOf is what a message.read is about.
func readerOf(subject string, by tim.UserID, message tim.MessageID, until, count uint64) reader {
	switch {
	case message == "":
		return reader{talkHash(subject + " " + string(by)), int64(until)}
	case by != "":
		return reader{talkHash(subject + " " + string(by) + " " + string(message)), 1}
	}
	return reader{talkHash(subject + " " + string(message)), int64(count)}
}

// readerIn is what a receipt is about.
func readerIn(subject string, r tim.MessageReceipt) reader {
	if r.ConvType == tim.ConvGroup {
		return readerOf(subject, "", r.MsgID, 0, r.ReadCount)
	}
	return readerOf(subject, tim.UserID(r.ConvID), r.MsgID, r.TimeStamp, 0)
}

// readSoFar says whether it was told that it was read that far.
func (s *seen) readSoFar(r reader) bool { return r.far != 0 && s.talks[r.key].last >= r.far }

// toldBefore says of a receipt whether history has told it before the service
// did. A service that keeps its reports is believed whatever it says.
func (a *appender) toldBefore(u *unit) bool {
	return u.receipt && u.account.pushes && a.in.seen.readSoFar(u.reader)
}

// maxReceipts bounds the receipts that history shows and that are kept until
// they are recorded.
const maxReceipts = 4096

// readBy takes note of who has read a message of the account's own.
func (r *reading) readBy(ctx context.Context, m *tim.Message) error {
	if r.need.away.changes == 0 || m.Sender != r.account.user {
		return nil
	}
	receipt := tim.MessageReceipt{ConvType: m.ConvType, ConvID: m.ConvID, MsgID: m.MsgID}
	switch {
	case m.ConvType == tim.ConvC2C:
		if m.IsPeerRead && m.ServerTime > r.read {
			r.read = m.ServerTime
		}
		if !m.ReceiptPeerRead || m.MsgID == "" {
			return nil
		}
		receipt.IsPeerRead = true
	case m.GroupReceiptReadCount <= 0 || m.MsgID == "":
		return nil
	default:
		receipt.ReadCount, receipt.UnreadCount = uint64(m.GroupReceiptReadCount), uint64(max(0, m.GroupReceiptUnreadCount))
	}
	r.receipts = append(r.receipts, receipt)
	if len(r.receipts) >= maxReceipts {
		return r.tellReceipts(ctx)
	}
	return nil
}

// tellRead has recorded how far the peer has read, and who has read what, as far
// as that was not told.
func (r *reading) tellRead(ctx context.Context) error {
	if r.read != 0 {
		r.receipts = append(r.receipts, tim.MessageReceipt{ConvType: r.conv.Type, ConvID: r.conv.ID, TimeStamp: r.read, IsPeerRead: true})
	}
	return r.tellReceipts(ctx)
}

// tellReceipts has recorded what of the receipts was not told. The reports that
// wait come first, for what they tell is newer.
func (r *reading) tellReceipts(ctx context.Context) error {
	receipts := r.receipts
	r.receipts = nil
	var units []*unit
	r.in.mu.RLock()
	for _, one := range receipts {
		if !r.in.seen.readSoFar(readerIn(r.subject, one)) {
			units = append(units, r.in.readUnit(mapping.Observation{App: r.in.deps.App, Account: r.account.user}, r.account, one))
		}
	}
	r.in.mu.RUnlock()
	if len(units) == 0 {
		return nil
	}
	return r.in.doInTurn(ctx, func(a *appender) error {
		held := make(map[hash]bool)
		if h := r.account.held[r.subject]; h != nil {
			for _, u := range h.units {
				held[u.reader.key] = held[u.reader.key] || u.read
			}
		}
		for _, u := range units {
			if u != nil && !a.in.seen.readSoFar(u.reader) && !held[u.reader.key] {
				a.order(u)
			}
		}
		return nil
	})
}
