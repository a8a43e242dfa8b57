package main

import (
	"context"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// changeable is how old a message may be that is changed: the service recalls
// for 120 s, of which an outage may take most.
const changeable = 20 * time.Second

// pickRecent takes one of the person's latest messages out; false where there
// is none.
func (p *person) pickRecent() (own, bool) {
	for len(p.recent) > 0 && time.Since(time.Unix(int64(p.recent[0].stored.ServerTime), 0)) > changeable {
		p.recent = p.recent[1:]
	}
	if len(p.recent) == 0 {
		return own{}, false
	}
	i := p.rng.IntN(len(p.recent))
	m := p.recent[i]
	p.recent = append(p.recent[:i:i], p.recent[i+1:]...)
	return m, true
}

// modify has a message say something else; it may do so again.
func (p *person) modify() error {
	m, ok := p.pickRecent()
	if !ok {
		return nil
	}
	p.changed++
	pieces := []piece{{kind: "text", text: fmt.Sprintf("%s%smodified %d", m.deed.Mark, modifiedMark, p.changed)}}
	for range p.rng.IntN(3) {
		pieces = append(pieces, thinkOfMore(p.rng, m.deed.Mark, pieces))
	}
	msg := tim.Message{ConvID: m.stored.ConvID, ConvType: m.stored.ConvType, Seq: m.stored.Seq, MsgID: m.stored.MsgID}
	for _, piece := range pieces {
		elem, err := piece.elem(p.dir)
		if err != nil {
			return err
		}
		msg.Elems = append(msg.Elems, elem)
	}
	modifier, ok := p.client.(tim.Modifier)
	if !ok {
		return lacking("modify messages")
	}
	var stored tim.Message
	err := p.insist("modify "+m.deed.Mark, func(ctx context.Context) (err error) {
		stored, err = modifier.ModifyMessage(ctx, msg)
		return err
	})
	if err != nil {
		return err
	}
	d := deed{Kind: deedModify, By: p.user, Group: m.deed.Group, ID: m.deed.ID, Mark: m.deed.Mark, Said: saidOf(pieces), Version: stored.Version}
	p.recent = append(p.recent, m)
	return p.tell(d)
}

func lacking(what string) error { return fmt.Errorf("the sandbox cannot %s", what) }

// revoke recalls a message.
func (p *person) revoke() error {
	m, ok := p.pickRecent()
	if !ok {
		return nil
	}
	err := p.insist("revoke "+m.deed.Mark, func(ctx context.Context) error {
		return p.client.Revoke(ctx, p.conversation(m.deed.Group), m.stored.Locator())
	}, tim.CodeSvrGroupRevokeMsgDeny, tim.CodeSvrMsgAlreadyRevoked)
	if err != nil {
		return err
	}
	return p.tell(deed{Kind: deedRevoke, By: p.user, Group: m.deed.Group, ID: m.deed.ID, Mark: m.deed.Mark})
}

// read says that the talk with the bridge was read up to its newest message.
// The service tells the bridge so with the message's time, which is the mark's
// identity.
func (p *person) read() error {
	p.mu.Lock()
	m := p.newest
	p.mu.Unlock()
	if m.Seq <= p.readTo {
		return nil
	}
	reader, ok := p.client.(tim.Reader)
	if !ok {
		return lacking("mark messages as read")
	}
	upTo := tim.Message{ConvID: m.ConvID, ConvType: m.ConvType, Seq: m.Seq, Rand: m.Rand, ServerTime: m.ServerTime}
	err := p.insist("mark as read", func(ctx context.Context) error {
		return reader.MarkRead(ctx, tim.C2C(bridgeUser), &upTo)
	})
	if err != nil {
		return err
	}
	p.readTo = m.Seq
	subject := mapping.Subject(tim.C2C(bridgeUser), p.user)
	return p.tell(deed{Kind: deedRead, By: p.user, Time: m.ServerTime, ID: fmt.Sprintf("%s/read/%s/%d", subject, p.user, m.ServerTime)})
}

// sendReceipt tells the bridge that one of its messages was read.
func (p *person) sendReceipt() error {
	p.mu.Lock()
	var m tim.Message
	if len(p.wanted) > 0 {
		m, p.wanted = p.wanted[0], p.wanted[1:]
	}
	p.mu.Unlock()
	if m.MsgID == "" {
		return nil
	}
	reader, ok := p.client.(tim.Reader)
	if !ok {
		return lacking("send read receipts")
	}
	err := p.insist("send a receipt", func(ctx context.Context) error {
		return reader.SendReadReceipts(ctx, []tim.Message{m})
	})
	if err != nil {
		return err
	}
	d := deed{Kind: deedReceipt, By: p.user, ID: string(m.MsgID)}
	if m.ConvType == tim.ConvGroup {
		d.Group = tim.GroupID(m.ConvID)
	}
	return p.tell(d)
}
