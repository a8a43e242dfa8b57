package egress

import (
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// CauseOf gives the command that sent a message, whoever reports it first: nil
// when none did. A command is known by the sender and random of its message
// from before the call until well after its outcome, also across a restart; one
// whose random the driver chooses, from its outcome on. It is fast, and can be
// called at any time.
func (e *Egress) CauseOf(sender tim.UserID, conv tim.Conversation, random uint64, id tim.MessageID) *mapping.Cause {
	if random == 0 {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sends == nil {
		e.indexSends()
	}
	k := sendKey{sender, random}
	s, ok := e.sends[k]
	if !ok {
		if s, ok = e.state.recent.get(k); !ok {
			s, ok = e.state.lost.get(k)
		}
	}
	if !ok || !sameTalk(s.Conversation, sender, conv) {
		return nil
	}
	cause := s.Cause
	return &cause
}

// Sending says whether commands of an account are under way in a conversation:
// a message of one of them may be at the service without being recorded yet.
// It is fast, and can be called at any time.
func (e *Egress) Sending(account tim.UserID, conv tim.Conversation) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lanes[laneKey{account, conv}] != nil
}

// sameTalk compares the conversation a command names with the one a message
// is reported in, which for a one-to-one talk depends on whose report it is.
func sameTalk(own tim.Conversation, sender tim.UserID, reported tim.Conversation) bool {
	return own == reported || own.Type == tim.ConvC2C && reported == tim.C2C(sender)
}

// indexSends makes the index over the sends that are started. e.mu is held.
func (e *Egress) indexSends() {
	e.sends = map[sendKey]sent{}
	for _, o := range e.state.open {
		if o.rand == 0 {
			continue
		}
		if cmd, err := e.command(o.event); err == nil {
			e.sends[sendKey{o.account, uint64(o.rand)}] = sentBy(&cmd, uint64(o.rand))
		}
	}
}

// sentBy is what the message of a command will be known by.
func sentBy(cmd *mapping.Command, random uint64) sent {
	return sent{Conversation: cmd.Conversation, Rand: random, Cause: *cmd.Cause()}
}
