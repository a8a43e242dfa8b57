package kafka

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/timbridge/timbridge/bus"
)

// TestPublishTooLarge: what a topic will never take is refused at once, and not
// tried until time is up; what comes after it is stored.
func TestPublishTooLarge(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	b := mustOpen(t, testConfig(t, cluster.ListenAddrs()[0]))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	e := testEvent("large", "account/bot")
	if err := e.SetData(event.TextPlain, strings.Repeat("x", 2<<20)); err != nil {
		t.Fatal(err)
	}
	_, err = b.Publish(ctx, bus.Commands, e)
	var refused *bus.RefusedError
	if !errors.As(err, &refused) || refused.Limit == 0 || refused.Size <= refused.Limit || ctx.Err() != nil {
		t.Fatalf("%v, %v", err, ctx.Err())
	}
	at, err := b.Publish(ctx, bus.Commands, testEvent("small", "account/bot"))
	if err != nil || at.Offset != 1 {
		t.Errorf("%+v, %v", at, err)
	}
}
