package egress

import (
	"fmt"
	"slices"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// share is how many unfinished commands one account may hold while others are
// connected, so that it does not stop them.
func (e *Egress) share() int { return max(1, e.cfg.MaxAccepted/4) }

// othersConnected says whether an account besides this one can act.
func (e *Egress) othersConnected(account tim.UserID) bool {
	return slices.ContainsFunc(e.deps.Accounts.Users(), func(u tim.UserID) bool {
		return u != account && e.deps.Accounts.Account(u).State == StateConnected
	})
}

// overShare says whether one more command of an account is too many: it holds
// its share, others could act, and it cannot or gets nothing done. While it
// does get something done, overShare waits for it.
func (in *intake) overShare(b *batch, account tim.UserID) (bool, error) {
	for since := time.Now(); ; {
		in.mu.Lock()
		holds := in.state.perAccount[account] + b.holds[account]
		last := in.last[account]
		room := in.room
		in.mu.Unlock()
		if holds < in.share() || !in.othersConnected(account) {
			return false, nil
		}
		a := in.deps.Accounts.Account(account)
		if a.State != StateConnected {
			return true, nil
		}
		if stuck, ok := in.stuck[account]; ok && stuck.Equal(last) {
			return true, nil
		}
		patience := backlogPatience - time.Since(later(since, last))
		if patience <= 0 {
			in.log.Warn("an account holds its share of the unfinished commands and gets nothing done: more of its commands fail",
				"account", account, "unfinished", holds)
			in.stuck[account] = last
			return true, nil
		}
		delete(in.stuck, account)
		if len(b.entries) > 0 {
			if err := in.flush(b); err != nil {
				return false, err
			}
			*b = *newBatch()
			continue
		}
		t := time.NewTimer(patience)
		select {
		case <-room:
		case <-a.Changed:
		case <-t.C:
		case <-in.stop.Done():
		}
		t.Stop()
		if err := in.stop.Err(); err != nil {
			return false, err
		}
	}
}

// shed makes room when none is left: where an account that cannot act holds
// more than its share while others could act, its newest commands fail. It says
// whether there were any.
func (e *Egress) shed() bool {
	e.mu.Lock()
	holding := make(map[tim.UserID]int)
	for account, n := range e.state.perAccount {
		if n > e.share() {
			holding[account] = n
		}
	}
	e.mu.Unlock()
	shed := false
	for account, n := range holding {
		if e.deps.Accounts.Account(account).State == StateConnected || !e.othersConnected(account) {
			continue
		}
		for _, it := range e.withdraw(account, n-e.share()) {
			shed = true
			e.finish(it, &verdict{err: errBacklog(account)})
		}
		e.log.Warn("an account that cannot act held up the others: its newest commands have failed", "account", account)
	}
	return shed
}

func errBacklog(account tim.UserID) *mapping.OutcomeError {
	return &mapping.OutcomeError{
		Code: mapping.CodeAccountBacklog, Retryable: true,
		Text: fmt.Sprintf("too many commands of %s are waiting already while other accounts are at work", account),
	}
}
