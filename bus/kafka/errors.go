package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/timbridge/timbridge/bus"
)

// ErrConfiguration is wrapped by what [Open] returns when the configuration
// itself is wrong, a file that it names included.
var ErrConfiguration = errors.New("kafka configuration")

// VersionError says that a broker is too old.
type VersionError struct {
	// Request is what it does not know in the version needed.
	Request    string
	Have, Need int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the broker is too old: it knows %s up to version %d, %d is needed; use Kafka 3.1 or later", e.Request, e.Have, e.Need)
}

// AuthError says that a broker does not let us in.
type AuthError struct {
	Brokers string
	// User and Mechanism are what was tried.
	User, Mechanism string
	Err             error
}

func (e *AuthError) Error() string {
	switch {
	case e.Mechanism == "":
		return fmt.Sprintf("Kafka at %s refuses us: %v; give it the client certificate or the SASL user that it asks for", e.Brokers, e.Err)
	case errors.Is(e.Err, kafkago.UnsupportedSASLMechanism):
		return fmt.Sprintf("Kafka at %s does not offer SASL %s: %v; take a mechanism of its sasl.enabled.mechanisms", e.Brokers, e.Mechanism, e.Err)
	case errors.Is(e.Err, kafkago.IllegalSASLState):
		return fmt.Sprintf("Kafka at %s takes no SASL on this port: %v; leave SASL out, or use the port of its SASL listener", e.Brokers, e.Err)
	}
	return fmt.Sprintf("Kafka at %s refuses user %q by %s: %v; check the name, the password and the mechanism", e.Brokers, e.User, e.Mechanism, e.Err)
}

// Unwrap gives the cause.
func (e *AuthError) Unwrap() error { return e.Err }

// ProtocolError says that something else than we speak is spoken on the port.
type ProtocolError struct {
	Brokers string
	// Advice says what to change.
	Advice string
	Err    error
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("what listens at %s does not speak as we do: %v; %s", e.Brokers, e.Err, e.Advice)
}

// Unwrap gives the cause.
func (e *ProtocolError) Unwrap() error { return e.Err }

// CertificateError says that a broker's certificate was not accepted.
type CertificateError struct {
	Brokers string
	Err     error
}

func (e *CertificateError) Error() string {
	return fmt.Sprintf("the certificate of Kafka at %s is not accepted: %v; set the certificate authority that signed it, and the server name it is for", e.Brokers, e.Err)
}

// Unwrap gives the cause.
func (e *CertificateError) Unwrap() error { return e.Err }

// UnreachableError says that no broker answered before the context ended.
type UnreachableError struct {
	Brokers string
	Err     error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("Kafka at %s cannot be reached: %v; check that it runs, and that the addresses it advertises can be reached from here", e.Brokers, e.Err)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// AccessError says that an operation is not allowed.
type AccessError struct {
	// Operation is Kafka's word for it (Describe, Read, Write, Create, …), and
	// Resource what it was asked of: `topic "tim.events"`.
	Operation, Resource string
	Err                 error

	of string // the topic that cannot be used for it, where it is not Resource
}

func (e *AccessError) Error() string {
	return fmt.Sprintf("not allowed: %s on %s: %v; give the user an ACL for it (kafka-acls --add --allow-principal … --operation %s)", e.Operation, e.Resource, e.Err, e.Operation)
}

// Unwrap gives the cause.
func (e *AccessError) Unwrap() error { return e.Err }

// Difference is one setting of a topic that is not as configured.
type Difference struct {
	Setting    string // as Kafka calls it; "partitions" and "replication factor"
	Have, Want string
}

// ConfigError says that a topic is missing, or not as configured.
type ConfigError struct {
	Topic string
	// Missing says that there is none; else Differences lists what is different.
	Missing     bool
	Differences []Difference
}

func (e *ConfigError) Error() string {
	if e.Missing {
		return fmt.Sprintf("topic %q is missing; create it, or let the bridge do so", e.Topic)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "topic %q is not as configured:", e.Topic)
	for i, d := range e.Differences {
		if i > 0 {
			b.WriteByte(';')
		}
		fmt.Fprintf(&b, " %s is %s, not %s", d.Setting, d.Have, d.Want)
	}
	return b.String()
}

var (
	errNoLeader = errors.New("the partition has no leader that is known")
	errNoAnswer = errors.New("no answer in time")
	errNoTopic  = errors.New("the topic is missing")
	errThin     = errors.New("too few replicas are in sync")
	// errMoved says that a partition is not what it was when it was last looked at.
	errMoved = errors.New("the partition has moved, or was made anew")
)

// codeError gives an error code as an error; nil for none.
func codeError(code int16) error {
	if code == 0 {
		return nil
	}
	return kafkago.Error(code)
}

// codeOf is the broker's code in an error, 0 without one.
func codeOf(err error) kafkago.Error {
	var k kafkago.Error
	if errors.As(err, &k) {
		return k
	}
	return 0
}

// passing says that an error is one that waiting may mend.
func passing(err error) bool {
	var (
		target *bus.TargetError
		cfg    *ConfigError
		access *AccessError
		large  *bus.RefusedError
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, bus.ErrClosed), errors.As(err, &target), errors.As(err, &cfg), errors.As(err, &access), errors.As(err, &large),
		lasting(err), refusal("", err) != nil:
		return false
	}
	k := codeOf(err)
	return k == 0 || k.Temporary() || k == kafkago.UnknownTopicID || k == kafkago.InconsistentTopicID ||
		k == kafkago.OffsetOutOfRange || k == kafkago.InvalidTopic ||
		k == kafkago.BrokerNotAvailable // what a broker says that its controller has not let in again
}

// lasting says that an error of connecting does not mend while one waits.
func lasting(err error) bool {
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch codeOf(err) {
	case kafkago.SASLAuthenticationFailed, kafkago.IllegalSASLState, kafkago.UnsupportedSASLMechanism:
		return true
	}
	return errors.As(err, &verify) || errors.As(err, &unknown) || isAlert(err) || wrongProtocol(err)
}

// othersMend says that an error of opening is one that somebody else can mend
// while we wait, by giving a right or making a topic.
func othersMend(err error) bool {
	var access *AccessError
	var topic *ConfigError
	return errors.As(err, &access) || errors.As(err, &topic) && topic.Missing
}

// telling is the last of two errors that says more than that time was up, which
// whoever waited knows.
func telling(before, last error) error {
	if before != nil && (errors.Is(last, context.DeadlineExceeded) || errors.Is(last, os.ErrDeadlineExceeded)) {
		return before
	}
	return last
}

// gaveUp is the error of waiting until ctx ended, with what was said meanwhile.
func gaveUp(ctx context.Context, said error) error {
	if errors.Is(said, context.DeadlineExceeded) || errors.Is(said, os.ErrDeadlineExceeded) {
		said = errNoAnswer // which is what it means, and all that is known
	}
	return fmt.Errorf("%w (%w)", said, context.Cause(ctx))
}

// isAlert says that the broker ended a TLS handshake by saying why.
func isAlert(err error) bool {
	var alert tls.AlertError
	var op *net.OpError
	return errors.As(err, &alert) || errors.As(err, &op) && op.Op == "remote error"
}

func wrongProtocol(err error) bool {
	var record tls.RecordHeaderError
	var no *foreignError
	return errors.As(err, &record) || errors.As(err, &no) || errors.Is(err, errMalformed) || strings.Contains(err.Error(), "expecting TLS")
}

// connectError gives an error of connecting the type that says what to do.
func (c *conn) connectError(err error) error {
	brokers := strings.Join(c.cfg.Brokers, ",")
	auth := &AuthError{Brokers: brokers, Err: err}
	if s := c.cfg.SASL; s != nil {
		auth.User, auth.Mechanism = s.User, s.Mechanism
	}
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch codeOf(err) {
	case kafkago.SASLAuthenticationFailed, kafkago.IllegalSASLState, kafkago.UnsupportedSASLMechanism:
		return auth
	}
	switch {
	case errors.As(err, &verify), errors.As(err, &unknown):
		return &CertificateError{Brokers: brokers, Err: err}
	case isAlert(err):
		auth.Mechanism = ""
		return auth
	case wrongProtocol(err), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		advice := ""
		var no *foreignError
		var record tls.RecordHeaderError
		switch {
		case errors.As(err, &record) && string(record.RecordHeader[:4]) == "HTTP":
			no = foreign(record.RecordHeader[:])
			advice, err = no.advice, no
		case errors.As(err, &no):
			advice, err = no.advice, no // without where kafka-go was
		case strings.Contains(err.Error(), "expecting TLS"):
			advice = "it expects TLS: configure it, or use its plaintext port"
		case c.cfg.TLS != nil:
			advice = "it may be a port without TLS: leave TLS out, or use the port of its TLS listener"
		case c.cfg.SASL != nil:
			advice = "it may expect TLS, or no SASL, or end the connection for a wrong user or password"
		default:
			advice = "it may expect SASL: configure the user, or use its plaintext port; and it may be no Kafka at all"
		}
		return &ProtocolError{Brokers: brokers, Advice: advice, Err: err}
	}
	return &UnreachableError{Brokers: brokers, Err: err}
}

// refusal says that a target refuses everything for now, and why, in words for
// people; nil when the error is no such thing.
func refusal(target bus.Target, err error) error {
	topic, _, _ := splitTarget(target)
	resource := fmt.Sprintf("topic %q", topic)
	switch {
	case errors.Is(err, errNoTopic):
		err = &ConfigError{Topic: topic, Missing: true}
	default:
		switch codeOf(err) {
		case kafkago.UnknownTopicOrPartition:
			err = &ConfigError{Topic: topic, Missing: true}
		case kafkago.TopicAuthorizationFailed:
			var access *AccessError
			if !errors.As(err, &access) {
				err = &AccessError{Operation: "Write", Resource: resource, Err: err}
			}
		case kafkago.ClusterAuthorizationFailed:
			err = &AccessError{Operation: "IdempotentWrite", Resource: "the cluster", Err: err}
		case kafkago.NotEnoughReplicas, kafkago.NotEnoughReplicasAfterAppend:
			err = fmt.Errorf("too few replicas are in sync (min.insync.replicas): %w; bring the missing brokers back, or lower it", err)
		case kafkago.KafkaStorageError:
			err = fmt.Errorf("the broker cannot write its disk: %w", err)
		case kafkago.PolicyViolation, kafkago.InvalidTimestamp, kafkago.InvalidRecord, kafkago.InvalidRequiredAcks:
			err = fmt.Errorf("the topic does not take our records: %w", err)
		default:
			return nil
		}
	}
	return &bus.TargetError{Target: target, Err: err}
}
