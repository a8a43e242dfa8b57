package sandbox

import (
	"context"

	"github.com/timbridge/timbridge/tim"
)

// maxBatchReceivers is how many users one message can be sent to.
const maxBatchReceivers = 500

// BatchSend sends one message to several users; see [tim.BatchSender]. What is
// wrong with the message itself ends the call; what is wrong with a receiver
// is that receiver's result. It has to be told from a message to each only by
// its randoms: each has its own, and the one given is not used.
func (c *Client) BatchSend(ctx context.Context, param tim.MsgBatchSendParam) ([]tim.MsgBatchSendResult, error) {
	const op = "batch send"
	var results []tim.MsgBatchSendResult
	err := c.do(ctx, op, CallBatchSend, "", func() error {
		switch n := len(param.Identifiers); {
		case n == 0:
			return refuse(op, tim.CodeInvalidParameters, "there is nobody to send to")
		case n > maxBatchReceivers:
			return refuse(op, tim.CodeSvrMsgToAccountCountLimit, "%d receivers: at most %d", n, maxBatchReceivers)
		}
		msg, err := c.withMedia(ctx, op, param.Msg)
		if err != nil {
			return err
		}
		msg.Rand = 0
		said := saidOnly(msg)
		content, err := encodeContent(op, said, 0)
		if err != nil {
			return err
		}
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		sent := make([]*message, len(param.Identifiers))
		results = make([]tim.MsgBatchSendResult, len(param.Identifiers))
		b := c.s.settled()
		for i, user := range param.Identifiers {
			results[i].Identifier = user
			m, after, err := c.send(op, ss, tim.C2C(user), said, msg, content)
			if err != nil {
				results[i].Code, results[i].Desc = tim.CodeOf(err), err.Error()
				continue
			}
			sent[i], b = m, after
		}
		c.s.mu.Unlock()
		if err := b.wait(ctx, op); err != nil {
			return err
		}
		for i, m := range sent {
			if m != nil {
				stored := c.s.seen(m, ss.account.id)
				stored.CustomInt, stored.CustomStr = msg.CustomInt, msg.CustomStr
				results[i].Msg = &stored
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}
