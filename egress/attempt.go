package egress

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// start journals an attempt before it is made. A send gets its random with the
// first, where the driver carries it to the service.
func (e *Egress) start(client tim.Client, it *item) error {
	s := started{Key: it.key, Attempt: it.o.attempts + 1, At: time.Now(), Rand: it.o.rand}
	if _, ok := client.(tim.Resender); ok && it.cmd.Send != nil && s.Rand == 0 {
		e.mu.Lock()
		s.Rand = e.draw.draw()
		e.mu.Unlock()
	}
	if s.Rand != 0 {
		// Before the call, so that whoever reports the message finds its cause.
		e.mu.Lock()
		if e.sends != nil {
			e.sends[sendKey{it.o.account, uint64(s.Rand)}] = sentBy(&it.cmd, uint64(s.Rand))
		}
		e.mu.Unlock()
	}
	entries := []journal.Entry{entry(journal.KindStarted, s.append(nil))}
	if _, err := e.write(e.stop, it.o.attempts > 0, entries, at0(s)); err != nil {
		return err
	}
	e.deps.Step("started")
	return nil
}

// attempt calls the IM service once.
func (e *Egress) attempt(client tim.Client, l *lane, it *item, retry *backoff) (next, error) {
	e.count(func(s *Stats) {
		s.Attempts[it.cmd.Verb()]++
		if it.o.attempts > 1 {
			s.Retries++
		}
	})
	began := time.Now()
	ctx, cancel := context.WithTimeout(e.end, e.cfg.CallTimeout)
	v, err := e.call(ctx, client, it)
	cancel()
	e.deps.Step("call_returned")
	if err == nil {
		return next{verdict: v}, nil
	}
	if e.end.Err() != nil {
		return next{}, e.end.Err()
	}
	if result := e.alreadySo(it, err); result != nil {
		return next{verdict: &verdict{result: result}}, nil
	}
	te, ok := tim.AsError(err)
	switch {
	case !ok, te.Effect == tim.EffectUnknown, te.Effect == tim.EffectDone && it.cmd.Send != nil:
		if !it.doubt {
			it.doubt, it.doubted, it.since = true, true, began
			e.count(func(s *Stats) { s.Doubts++ })
		}
		it.called = began
		return next{wait: retry.next(retryAfter(err))}, nil
	case te.Effect == tim.EffectDone:
		return next{verdict: &verdict{result: e.bareResult(it)}}, nil
	case retryable(err):
		return next{wait: retry.next(te.RetryAfter)}, nil
	case it.doubt:
		// This attempt was refused; an earlier one may have gone through.
		return e.conclude(client, l, it, err, retry)
	}
	return next{verdict: &verdict{err: mapping.ErrorOf(err)}}, nil
}

// call makes the command's one call.
func (e *Egress) call(ctx context.Context, client tim.Client, it *item) (*verdict, error) {
	c := &it.cmd
	result := e.bareResult(it)
	switch {
	case c.Send != nil:
		m := c.Send.Message
		m.Rand = uint64(it.o.rand)
		posted, err := client.Send(ctx, c.Conversation, m)
		if err != nil {
			return nil, err
		}
		return e.sent(client, it, posted, false), nil
	case c.Revoke != nil:
		if err := client.Revoke(ctx, c.Revoke.Conversation, c.Revoke.Message); err != nil {
			return nil, err
		}
	case c.CreateGroup != nil:
		created, err := client.CreateGroup(ctx, c.CreateGroup.Param)
		if err != nil {
			return nil, err
		}
		if created.GroupID != "" {
			result.GroupID = created.GroupID
		}
	case c.Invite != nil:
		members, err := client.InviteMembers(ctx, c.Invite.Param)
		if err != nil {
			return nil, err
		}
		result.Members = mapping.MemberResults(members)
	case c.RemoveMember != nil:
		members, err := client.DeleteMembers(ctx, c.RemoveMember.Param)
		if err != nil {
			return nil, err
		}
		result.Members = mapping.RemovedResults(members)
	case c.Dismiss != nil:
		if err := client.DeleteGroup(ctx, c.Dismiss.Group); err != nil {
			return nil, err
		}
	}
	return &verdict{result: result}, nil
}

// bareResult is what can be said of a success from the command alone.
func (e *Egress) bareResult(it *item) *mapping.Result {
	c := &it.cmd
	switch {
	case c.Revoke != nil:
		return &mapping.Result{MessageID: c.Revoke.MessageID}
	case c.CreateGroup != nil:
		return &mapping.Result{GroupID: c.CreateGroup.Param.GroupID}
	case c.Invite != nil:
		return &mapping.Result{GroupID: c.Invite.Param.GroupID}
	case c.RemoveMember != nil:
		return &mapping.Result{GroupID: c.RemoveMember.Param.GroupID}
	case c.Dismiss != nil:
		return &mapping.Result{GroupID: c.Dismiss.Group}
	}
	return &mapping.Result{}
}

// sent is the success of a send, with the message as the service has it.
// settled says that it was found there instead of being answered.
func (e *Egress) sent(client tim.Client, it *item, m tim.Message, settled bool) *verdict {
	if m.ConvType == 0 {
		m.ConvType, m.ConvID = it.cmd.Conversation.Type, it.cmd.Conversation.ID
	}
	if m.Sender == "" {
		m.Sender = it.o.account
	}
	v := &verdict{posted: &m, result: &mapping.Result{
		MessageID: mapping.MessageID(it.o.account, m), MsgID: m.MsgID,
		Sequence: m.Seq, Random: m.Rand, ServerTime: m.ServerTime, Settled: settled,
	}}
	if _, ok := client.(tim.Resender); !ok || it.o.rand == 0 {
		v.claim = claimKey(it.o.account, m)
	}
	return v
}

// alreadySo gives the result of a call that was refused because what it asks
// for is so already, nil for every other refusal.
func (e *Egress) alreadySo(it *item, err error) *mapping.Result {
	c := &it.cmd
	so := false
	switch code := tim.CodeOf(err); code {
	case tim.CodeSvrGroupGroupIDInUsedForSuper: // ours, and the id is made from this very command
		so = c.CreateGroup != nil
	case tim.CodeSvrMsgAlreadyRevoked:
		so = c.Revoke != nil
	case tim.CodeSvrGroupNotFound, tim.CodeSvrGroupInvalidGroupID:
		so = c.Dismiss != nil && it.doubt
	case tim.CodeSvrGroupAlreadyMember:
		so = c.Invite != nil && it.doubt
	case tim.CodeNoSuccResult:
		so = (c.Invite != nil || c.RemoveMember != nil) && it.doubt
	}
	if !so {
		return nil
	}
	result := e.bareResult(it)
	result.Already, result.Settled = true, it.doubt
	return result
}

// newID makes an id for what has none of its own.
func newID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}
