package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/kafka/kafkatest"
)

// certificates are an authority, a broker's certificate and a client's, as files.
type certificates struct {
	ca, broker, client, clientKey, otherCA string
	server                                 tls.Certificate
}

func newCertificates(t testing.TB) certificates {
	t.Helper()
	dir := t.TempDir()
	caFile, ca, caKey := makeCertificate(t, dir, "ca", nil, nil)
	otherFile, _, _ := makeCertificate(t, dir, "other", nil, nil)
	broker, _, _ := makeCertificate(t, dir, "broker", ca, caKey)
	client, _, _ := makeCertificate(t, dir, "carol", ca, caKey)
	server, err := tls.LoadX509KeyPair(broker, broker)
	if err != nil {
		t.Fatal(err)
	}
	return certificates{ca: caFile, broker: broker, client: client, clientKey: client, otherCA: otherFile, server: server}
}

// makeCertificate writes a certificate and, but for an authority, its key to one file.
func makeCertificate(t testing.TB, dir, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (string, *x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	parent, parentKey := ca, caKey
	if ca == nil {
		template.IsCA, template.KeyUsage, template.ExtKeyUsage = true, x509.KeyUsageCertSign, nil
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	if ca != nil {
		k, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		out = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})
	}
	out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	file := filepath.Join(dir, name+".pem")
	if err := os.WriteFile(file, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, cert, key
}

// securityProtocols are what its listeners speak, by their names.
var securityProtocols = map[string]string{"SASL_PLAINTEXT": "SASL_PLAINTEXT", "MTLS": "SSL", "SASL_SSL": "SASL_SSL", "TLS": "SSL"}

// security is what a real broker asks for on its other listeners.
type security struct {
	certificates
	ports map[string]int
}

func newSecurity(t testing.TB) *security {
	s := &security{certificates: newCertificates(t), ports: map[string]int{}}
	for name := range securityProtocols {
		s.ports[name] = freePort(t)
	}
	return s
}

func (s *security) at(listener string) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.ports[listener]))
}

func (s *security) listeners() []kafkatest.Listener {
	var list []kafkatest.Listener
	for name, protocol := range securityProtocols {
		list = append(list, kafkatest.Listener{Name: name, Protocol: protocol, Addr: s.at(name)})
	}
	return list
}

func (s *security) properties() string {
	var b strings.Builder
	for name, protocol := range securityProtocols {
		if strings.HasPrefix(protocol, "SASL") {
			l := "listener.name." + strings.ToLower(name)
			fmt.Fprintf(&b, "%s.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"alice-pw\" user_bob=\"bob-pw\";\n", l)
			for _, m := range []string{"scram-sha-256", "scram-sha-512"} {
				fmt.Fprintf(&b, "%s.%s.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n", l, m)
			}
		}
	}
	fmt.Fprintf(&b, `sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location=%s
ssl.truststore.type=PEM
ssl.truststore.location=%s
listener.name.mtls.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:alice;User:sam;User:tina;User:carol
allow.everyone.if.no.acl.found=false
`, s.broker, s.ca)
	return b.String()
}

func (s *security) format() []string {
	return []string{"--add-scram", "SCRAM-SHA-256=[name=sam,password=sam-pw]", "--add-scram", "SCRAM-SHA-512=[name=tina,password=tina-pw]"}
}

// A way in is a configuration, and what comes of opening a bus by it.
type wayIn struct {
	name string
	addr string
	tls  *bus.TLS
	sasl *SASLConfig
	want any      // a pointer to an error of the type that comes, nil for none
	says []string // parts of its text
}

func tryWays(t *testing.T, ways []wayIn) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			cfg := testConfig(t, w.addr)
			cfg.TLS, cfg.SASL = w.tls, w.sasl
			patience := 20 * time.Second
			if _, ok := w.want.(**UnreachableError); ok {
				patience = 2 * time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			b, err := Open(ctx, cfg)
			if w.want == nil {
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				defer func() { _ = b.Close() }()
				talk(t, b)
				return
			}
			if err == nil {
				_ = b.Close()
				t.Fatal("it let us in")
			}
			if !errors.As(err, w.want) {
				t.Fatalf("%T: %v, not %T", err, err, w.want)
			}
			if _, ok := w.want.(**VersionError); !ok {
				w.says = append(w.says, w.addr)
			}
			for _, part := range w.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "-pw") {
				t.Errorf("%q holds a password", err)
			}
		})
	}
}

// talk publishes a command and a round, and reads them back.
func talk(t testing.TB, b *Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e := testEvent("c-"+strconv.FormatInt(time.Now().UnixNano(), 36), "account/bot")
	at, err := b.Publish(ctx, bus.Commands, e)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	r, err := b.Commands(ctx, []bus.Position{{Target: at.Target, Offset: at.Offset - 1}})
	if err != nil {
		t.Fatalf("commands: %v", err)
	}
	defer func() { _ = r.Close() }()
	for found := false; !found; {
		got, err := r.Next(ctx, 10)
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		for _, m := range got {
			found = found || m.Event != nil && m.Event.ID() == e.ID()
		}
	}
	if err := b.SetMark(ctx, []bus.Position{at}); err != nil {
		t.Fatalf("set mark: %v", err)
	}
}

func testEvent(id, subject string) *event.Event {
	e := event.New()
	e.SetID(id)
	e.SetSource("/test")
	e.SetType("io.timbridge.command.message.send.v1")
	e.SetSubject(subject)
	e.SetExtension("partitionkey", subject)
	_ = e.SetData(event.ApplicationJSON, map[string]any{"n": 1}) // a map of an int always marshals
	return &e
}

// ours makes messages of a journal, rising from a sequence.
func ours(from uint64, n int) []bus.Message {
	var msgs []bus.Message
	for i := range uint64(n) {
		e := testEvent(fmt.Sprintf("m-%d", from+i), "group/g1")
		e.SetType("io.timbridge.message.posted.v1")
		e.SetExtension("timbridge", "5f0c4f6e-0000-4000-8000-000000000001")
		e.SetExtension("sequence", fmt.Sprintf("%020d", from+i))
		msgs = append(msgs, bus.Message{Stream: bus.Events, Sequence: from + i, Event: e})
	}
	return msgs
}

// The fake broker ends a connection without a word where a real one says why:
// what is left out here is in TestApacheWaysIn.
func TestWaysIn(t *testing.T) {
	certs := newCertificates(t)
	start := func(opts ...kfake.Opt) string {
		c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c.ListenAddrs()[0]
	}
	plain := start()
	secured := start(kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "alice-pw"), kfake.Superuser("SCRAM-SHA-256", "sam", "sam-pw"), kfake.Superuser("SCRAM-SHA-512", "tina", "tina-pw"))
	encrypted := start(kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certs.server}}))
	ca := &bus.TLS{CAFile: certs.ca}
	nobody := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	old := start(kfake.MaxVersions(kversion.V2_8_0()))
	tryWays(t, []wayIn{
		{"plain text", plain, nil, nil, nil, nil},
		{"PLAIN", secured, nil, &SASLConfig{"PLAIN", "alice", "alice-pw"}, nil, nil},
		{"SCRAM-SHA-256", secured, nil, &SASLConfig{"SCRAM-SHA-256", "sam", "sam-pw"}, nil, nil},
		{"SCRAM-SHA-512", secured, nil, &SASLConfig{"SCRAM-SHA-512", "tina", "tina-pw"}, nil, nil},
		{"TLS", encrypted, ca, nil, nil, nil},
		{"no SASL where it is asked for", secured, nil, nil, new(*ProtocolError), []string{"SASL"}},
		{"plain text where TLS is spoken", encrypted, nil, nil, new(*ProtocolError), nil},
		{"a certificate of an unknown authority", encrypted, &bus.TLS{CAFile: certs.otherCA}, nil, new(*CertificateError), []string{"certificate authority"}},
		{"a broker that is too old", old, nil, nil, new(*VersionError), []string{"too old", "3.1 or later"}},
		{"nobody there", nobody, nil, nil, new(*UnreachableError), []string{"connection refused", "check that it runs"}},
	})
}

func TestApacheWaysIn(t *testing.T) {
	needApache(t)
	s := newSecurity(t)
	p := newApache(t, s)
	ca := &bus.TLS{CAFile: s.ca}
	carol := &bus.TLS{CAFile: s.ca, CertFile: s.client, KeyFile: s.clientKey}
	plain, encrypted, mutual, secured := s.at("SASL_PLAINTEXT"), s.at("TLS"), s.at("MTLS"), s.at("SASL_SSL")
	tryWays(t, []wayIn{
		{"plain text", p.addr(), nil, nil, nil, nil},
		{"PLAIN", plain, nil, &SASLConfig{"PLAIN", "alice", "alice-pw"}, nil, nil},
		{"SCRAM-SHA-256", plain, nil, &SASLConfig{"SCRAM-SHA-256", "sam", "sam-pw"}, nil, nil},
		{"SCRAM-SHA-512 over TLS", secured, ca, &SASLConfig{"SCRAM-SHA-512", "tina", "tina-pw"}, nil, nil},
		{"TLS with a client certificate", mutual, carol, nil, nil, nil},
		{"a wrong password", plain, nil, &SASLConfig{"PLAIN", "alice", "wrong-pw"}, new(*AuthError), []string{`"alice"`, "check the name, the password"}},
		{"a wrong password, SCRAM", plain, nil, &SASLConfig{"SCRAM-SHA-256", "sam", "wrong-pw"}, new(*AuthError), []string{`"sam"`}},
		{"a wrong mechanism for the user", plain, nil, &SASLConfig{"SCRAM-SHA-512", "sam", "sam-pw"}, new(*AuthError), []string{"mechanism"}},
		{"no SASL where it is asked for", plain, nil, nil, new(*ProtocolError), []string{"SASL"}},
		{"SASL where none is asked for", p.addr(), nil, &SASLConfig{"PLAIN", "alice", "alice-pw"}, new(*AuthError), []string{"leave SASL out"}},
		{"plain text where TLS is spoken", encrypted, nil, nil, new(*ProtocolError), []string{"expects TLS"}},
		{"TLS where plain text is spoken", p.addr(), ca, nil, new(*ProtocolError), []string{"without TLS"}},
		{"no client certificate where one is asked for", mutual, ca, nil, new(*AuthError), []string{"client certificate"}},
		{"a certificate of an unknown authority", encrypted, &bus.TLS{CAFile: s.otherCA}, nil, new(*CertificateError), []string{"certificate authority"}},
	})
	t.Run("rights", func(t *testing.T) { oneByOne(t, p, plain) })
}

// oneByOne takes what bob may do from nothing to everything, and looks at what is
// said on the way.
func oneByOne(t *testing.T, p *apache, addr string) {
	cfg := testConfig(t, addr)
	cfg.SASL = &SASLConfig{"PLAIN", "bob", "bob-pw"}
	cfg.Manage = bus.ManageCheck
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// comes waits until do says that an operation is not allowed, or until it
	// succeeds: rights spread through the brokers in their own time.
	comes := func(do func() error, operation, resource string) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			err := do()
			var access *AccessError
			if err == nil && operation == "" || errors.As(err, &access) && access.Operation == operation && access.Resource == resource {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%v, not that %q on %s is not allowed", err, operation, resource)
			}
		}
	}
	var b *Bus
	open := func() (err error) {
		b, err = Open(ctx, cfg)
		return err
	}
	comes(open, "Describe", `topic "tim.events"`)
	allow(t, p, kmsg.ACLResourceTypeTopic, "tim.", kmsg.ACLOperationDescribe)
	comes(open, "DescribeConfigs", `topic "tim.events"`)
	allow(t, p, kmsg.ACLResourceTypeTopic, "tim.", kmsg.ACLOperationDescribeConfigs)
	comes(open, "", "")
	defer func() { _ = b.Close() }()
	check := func() error { return b.Check(ctx) }
	comes(check, "Read", `topic "tim.events"`)
	mark := func() error { return b.SetMark(ctx, []bus.Position{{Target: "tim.commands/0", Offset: 1}}) }
	comes(mark, "Read", `group "timbridge-0"`)
	var plan bus.Plan
	next := func() (err error) {
		plan, err = b.Plan(ctx, ours(1, 3))
		return err
	}
	comes(next, "Read", `topic "tim.events"`)
	for _, name := range []string{"tim.events", "tim.outcomes", "tim.deadletters"} {
		allow(t, p, kmsg.ACLResourceTypeTopic, name, kmsg.ACLOperationRead)
	}
	comes(next, "IdempotentWrite", "the cluster")
	// A right to write any topic is one to have a producer id.
	allow(t, p, kmsg.ACLResourceTypeTopic, "other.", kmsg.ACLOperationWrite)
	comes(next, "", "")
	err := b.Send(ctx, plan, ours(1, 3), false)
	var target *bus.TargetError
	if !errors.As(err, &target) {
		t.Errorf("%v is no TargetError", err)
	}
	send := func() error { return b.Send(ctx, plan, ours(1, 3), true) }
	comes(send, "Write", `topic "tim.events"`)
	comes(check, "Write", `topic "tim.events"`)
	for _, name := range []string{"tim.events", "tim.outcomes", "tim.deadletters"} {
		allow(t, p, kmsg.ACLResourceTypeTopic, name, kmsg.ACLOperationWrite)
	}
	comes(send, "", "")
	// Its own rights on the commands are to read them, which is found out
	// without reading, and by reading.
	comes(check, "Read", `topic "tim.commands"`)
	if err := check(); !errors.As(err, &target) || target.Target != "tim.commands" {
		t.Errorf("%v is no TargetError of the commands", err)
	}
	r := commandsOf(t, b)
	comes(b.readers.unread, "Read", `topic "tim.commands"`)
	publishCommands(t, mustOpen(t, testConfig(t, p.addr())), 0, 2)
	allow(t, p, kmsg.ACLResourceTypeTopic, "tim.commands", kmsg.ACLOperationRead)
	for last := ""; last != "c-1"; { // after those of the ways in
		ids, resets := readIDs(t, r, 1)
		if last = ids[0]; len(resets) != 0 {
			t.Errorf("resets %+v", resets)
		}
	}
	comes(b.readers.unread, "", "")
	comes(check, "Read", `group "timbridge-0"`)
	allow(t, p, kmsg.ACLResourceTypeGroup, "timbridge-", kmsg.ACLOperationRead)
	comes(mark, "", "")
	comes(check, "", "")
}

// allow gives bob a right, on everything whose name begins so.
func allow(t testing.TB, p *apache, kind kmsg.ACLResourceType, prefix string, op kmsg.ACLOperation) {
	t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	c := kmsg.NewCreateACLsRequestCreation()
	c.ResourceType, c.ResourceName, c.ResourcePatternType = kind, prefix, kmsg.ACLResourcePatternTypePrefixed
	c.Principal, c.Host, c.Operation, c.PermissionType = "User:bob", "*", op, kmsg.ACLPermissionTypeAllow
	req.Creations = append(req.Creations, c)
	res, err := req.RequestWith(t.Context(), admin(t, p.addr()))
	if err == nil {
		err = kerr.ErrorForCode(res.Results[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}
