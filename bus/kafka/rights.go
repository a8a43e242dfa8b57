package kafka

import (
	"context"
	"fmt"
	"io"
	"math"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/timbridge/timbridge/bus"
)

// rights are the operations that a broker says we may do, a bit each by Kafka's
// number of it.
type rights int32

const (
	operationRead  = 3
	operationWrite = 4
	// unsaid is what a broker answers that does not tell.
	unsaid rights = math.MinInt32
)

func (r rights) allow(operation int) bool { return r == unsaid || r&(1<<operation) != 0 }

// mayUse asks whether we may do all that the bridge does, without doing it. It
// returns an [*AccessError] for what we may not.
func (b *Bus) mayUse(ctx context.Context) error {
	metas, err := b.conn.describe(ctx, &metadataRequest{client: b.cfg.ClientID, topics: b.topicNames(), rights: true})
	if err != nil {
		return fmt.Errorf("ask for rights: %w", err)
	}
	may := map[string]rights{}
	for _, m := range metas {
		if m.code == 0 {
			may[m.name] = m.rights
		}
	}
	for i := range b.routes {
		r := &b.routes[i]
		have, ok := may[r.Name]
		switch {
		case !ok: // which was told by whoever asked for the topic
		case !have.allow(operationRead):
			return b.denied("Read", r.Name)
		case r.stream != bus.Commands && !have.allow(operationWrite):
			return b.denied("Write", r.Name)
		}
	}
	return b.mayCommit(ctx)
}

func (b *Bus) denied(operation, topic string) error {
	return &AccessError{Operation: operation, Resource: fmt.Sprintf("topic %q", topic), Err: kafkago.TopicAuthorizationFailed, of: topic}
}

// mayCommit asks whether the mark can be committed.
func (b *Bus) mayCommit(ctx context.Context) error {
	body, err := b.conn.raw(ctx, &groupRequest{client: b.cfg.ClientID, group: b.group()})
	if err != nil {
		return fmt.Errorf("ask for rights on group %q: %w", b.group(), err)
	}
	code, may, err := decodeGroup(body)
	if err != nil {
		return fmt.Errorf("ask for rights on group %q: %w", b.group(), err)
	}
	switch err := codeError(code); {
	case codeOf(err) == kafkago.GroupAuthorizationFailed, err == nil && !may.allow(operationRead):
		return &AccessError{Operation: "Read", Resource: fmt.Sprintf("group %q", b.group()), Err: kafkago.GroupAuthorizationFailed, of: b.cfg.Commands.Name}
	}
	return nil // another code says that the coordinator is on its way, and nothing of rights
}

const groupVersion = 5 // of DescribeGroups, Kafka 2.4

// groupRequest asks a group's coordinator for the group.
type groupRequest struct{ client, group string }

// ApiKey is DescribeGroups'.
func (*groupRequest) ApiKey() protocol.ApiKey { return protocol.DescribeGroups }

// Group is whose coordinator is asked.
func (r *groupRequest) Group() string { return r.group }

// Required says that the exchange is raw, always.
func (*groupRequest) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange asks.
func (r *groupRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	var e wireEncoder
	e.length(1)
	e.compact(r.group)
	e.int8(1) // with our rights
	e.tags()
	body, err := exchange(rw, protocol.DescribeGroups, groupVersion, r.client, e.b)
	if err != nil {
		return nil, err
	}
	return &rawAnswer{protocol.DescribeGroups, body}, nil
}

// memberBytes is the least that a member takes in an answer.
const memberBytes = 7

func decodeGroup(body []byte) (code int16, may rights, err error) {
	d := wireDecoder{b: body}
	d.int32() // throttle
	if d.count(1) != 1 {
		return 0, 0, fmt.Errorf("%w: not one group", errMalformed)
	}
	code = d.int16()
	for range 4 { // its name, state, protocol type and protocol
		d.compact()
	}
	for range d.count(memberBytes) {
		for range 6 {
			d.compact()
		}
		d.tags()
	}
	may = rights(d.int32())
	return code, may, d.err
}
