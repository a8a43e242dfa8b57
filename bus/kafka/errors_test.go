package kafka

import (
	"context"
	"errors"
	"fmt"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
)

// What waiting may mend is waited for, by who opens the bus too: a broker that
// comes back answers for a while that it is not there yet.
func TestPassing(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"no connection":                  {errors.New("connection refused"), true},
		"a broker not let in again yet":  {kafkago.BrokerNotAvailable, true},
		"a leader that moved":            {kafkago.NotLeaderForPartition, true},
		"a topic that is made just now":  {kafkago.LeaderNotAvailable, true},
		"a wrong password":               {kafkago.SASLAuthenticationFailed, false},
		"a right that is missing":        {&AccessError{Operation: "Read", Resource: "x"}, false},
		"a topic other than it is to be": {&ConfigError{Topic: "x"}, false},
		"more copies than brokers":       {kafkago.InvalidReplicationFactor, false},
		"who waits was told not to":      {context.Canceled, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := passing(fmt.Errorf("ask: %w", c.err)); got != c.want {
				t.Errorf("%v passes: %t", c.err, got)
			}
		})
	}
}
