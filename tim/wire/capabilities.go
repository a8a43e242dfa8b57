package wire

import (
	"context"
	"slices"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// The optional interfaces, each as a type to be put beside a client.
type (
	resender struct{ c *client }
	history  struct{ c *client }
)

var (
	_ tim.Resender = resender{}
	_ tim.History  = history{}
)

// ResendWindow implements [tim.Resender].
func (r resender) ResendWindow(t tim.ConvType) time.Duration { return r.c.resendWindow(t) }

// Conversations implements [tim.History].
func (h history) Conversations(ctx context.Context) ([]tim.ConvInfo, error) {
	return h.c.conversations(ctx)
}

// Messages implements [tim.History].
func (h history) Messages(ctx context.Context, conv tim.Conversation, query tim.HistoryQuery) ([]tim.Message, error) {
	return h.c.messages(ctx, conv, query)
}

// withCapabilities gives the client exactly the optional interfaces named.
func (c *client) withCapabilities(names []string) tim.Client {
	resends, remembers := slices.Contains(names, capResender), slices.Contains(names, capHistory)
	switch {
	case resends && remembers:
		return struct {
			*client
			resender
			history
		}{c, resender{c}, history{c}}
	case resends:
		return struct {
			*client
			resender
		}{c, resender{c}}
	case remembers:
		return struct {
			*client
			history
		}{c, history{c}}
	}
	return c
}
