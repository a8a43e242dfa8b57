package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/kafka"
)

// TestKafkaErrors: whatever Kafka refuses is exit code 3, a mistake of ours 2,
// and each has a next step, also where it is wrapped on its way.
func TestKafkaErrors(t *testing.T) {
	cause := errors.New("the cause")
	for _, c := range []struct {
		name string
		err  error
		code int
		next string
	}{
		{"no broker", &kafka.UnreachableError{Brokers: "b:9092", Err: cause}, codeMissing, "is Kafka running, and are bus.brokers and bus.tls right?"},
		{"something else on the port", &kafka.ProtocolError{Brokers: "b:9092", Advice: "do", Err: cause}, codeMissing, "check bus.brokers, bus.tls and bus.sasl"},
		{"a wrong password", &kafka.AuthError{Brokers: "b:9092", User: "alice", Mechanism: "PLAIN", Err: cause}, codeMissing, "check bus.sasl"},
		{"an unknown certificate", &kafka.CertificateError{Brokers: "b:9092", Err: cause}, codeMissing, "check bus.tls"},
		{"too old", &kafka.VersionError{Request: "Fetch", Have: 11, Need: 13}, codeMissing, "upgrade the brokers"},
		{"not allowed", &bus.TargetError{Target: "tim.events", Err: &kafka.AccessError{Operation: "Write", Resource: `topic "tim.events"`, Err: cause}}, codeMissing, "have the right given"},
		{"no topic", &bus.TargetError{Target: "tim.events", Err: &kafka.ConfigError{Topic: "tim.events", Missing: true}}, codeMissing, "create it, or set bus.manage"},
		{"other topics", errors.Join(&kafka.ConfigError{Topic: "a", Differences: []kafka.Difference{{Setting: "partitions", Have: "3", Want: "6"}}}, &kafka.ConfigError{Topic: "b", Missing: true}), codeMissing, "change the configuration or the topic"},
		{"a wrong configuration", fmt.Errorf("%w: %w", kafka.ErrConfiguration, cause), codeInput, "mend the bus block"},
		{"a certificate's file that is not there", noSecret(fmt.Errorf("%w: %w", kafka.ErrConfiguration, fs.ErrNotExist)), codeInput, "mend the bus block"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := fmt.Errorf("bus: %w", c.err)
			var text, doc bytes.Buffer
			if code := (&env{cli: &cli{}, errs: &text}).complain(false, err); code != c.code || !strings.Contains(text.String(), "\nnext step: "+c.next) {
				t.Errorf("exit code %d, not %d: %s", code, c.code, &text)
			}
			if code := (&env{cli: &cli{}, errs: &doc}).complain(true, err); code != c.code || !strings.Contains(doc.String(), `"next":"`+c.next) {
				t.Errorf("exit code %d, not %d: %s", code, c.code, &doc)
			}
		})
	}
}
