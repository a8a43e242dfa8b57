package nats

import (
	"bytes"
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
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/timbridge/timbridge/bus"
)

// startServer runs a server in this process.
func startServer(t testing.TB, opts *server.Options) *server.Server {
	t.Helper()
	opts.Host, opts.NoSigs, opts.NoLog, opts.JetStream, opts.StoreDir = "127.0.0.1", true, true, true, t.TempDir()
	opts.JetStreamMaxStore, opts.JetStreamMaxMemory = 1<<30, 1<<28
	if opts.Port == 0 {
		opts.Port = -1
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("server is not ready")
	}
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	return srv
}

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, cfg Config) (*Bus, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	b, err := Open(ctx, cfg)
	if b != nil {
		t.Cleanup(func() { _ = b.Close() })
	}
	return b, err
}

// TestCredentials connects in every way, and is refused with the wrong ones;
// no secret is ever in a log or an error.
func TestCredentials(t *testing.T) {
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := user.Seed()
	public, _ := user.PublicKey()
	other, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	otherSeed, _ := other.Seed()
	seedFile, otherFile := write(t, "user.nk", seed), write(t, "other.nk", otherSeed)

	for _, c := range []struct {
		name        string
		opts        server.Options
		right       Config
		wrong       []Config
		secretParts []string
	}{
		{"token", server.Options{Authorization: "s3cret-token"}, Config{Token: "s3cret-token"},
			[]Config{{}, {Token: "wr0ng-token"}}, []string{"s3cret", "wr0ng"}},
		{"user and password", server.Options{Username: "tim", Password: "s3cret-pass"}, Config{User: "tim", Password: "s3cret-pass"},
			[]Config{{User: "tim", Password: "wr0ng-pass"}, {Token: "s3cret-pass"}}, []string{"s3cret", "wr0ng"}},
		{"NKey", server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}}, Config{NKeyFile: seedFile},
			[]Config{{NKeyFile: otherFile}, {}}, []string{string(seed), string(otherSeed)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := startServer(t, &c.opts)
			var log bytes.Buffer
			logger := hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace})
			c.right.URL, c.right.Logger = srv.ClientURL(), logger
			b, err := open(t, c.right)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Check(t.Context()); err != nil {
				t.Error(err)
			}
			for _, wrong := range c.wrong {
				wrong.URL, wrong.Logger = srv.ClientURL(), logger
				_, err := open(t, wrong)
				var auth *AuthError
				if !errors.As(err, &auth) {
					t.Fatalf("wrong credentials give %v, not an AuthError", err)
				}
				fmt.Fprintln(&log, err)
			}
			for _, secret := range c.secretParts {
				if strings.Contains(log.String(), secret) {
					t.Errorf("a secret is said: %s", log.String())
				}
			}
		})
	}
	if _, err := open(t, Config{URL: "nats://127.0.0.1:1", NKeyFile: filepath.Join(t.TempDir(), "none")}); err == nil || !strings.Contains(err.Error(), "NKey") {
		t.Errorf("a seed file that is not there: %v", err)
	}
	if _, err := open(t, Config{URL: "nats://127.0.0.1:1", CredsFile: filepath.Join(t.TempDir(), "none")}); err == nil || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("a credentials file that is not there: %v", err)
	}
}

// TestCredentialsFile uses a server with an operator, accounts and JWTs.
func TestCredentialsFile(t *testing.T) {
	operator, _ := nkeys.CreateOperator()
	operatorKey, _ := operator.PublicKey()
	account, _ := nkeys.CreateAccount()
	accountKey, _ := account.PublicKey()
	system, _ := nkeys.CreateAccount()
	systemKey, _ := system.PublicKey()
	user, _ := nkeys.CreateUser()
	userKey, _ := user.PublicKey()
	seed, _ := user.Seed()

	encode := func(c interface {
		Encode(nkeys.KeyPair) (string, error)
	}, kp nkeys.KeyPair) string {
		s, err := c.Encode(kp)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	oc := jwt.NewOperatorClaims(operatorKey)
	oc.SystemAccount = systemKey
	ac := jwt.NewAccountClaims(accountKey)
	ac.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	sc := jwt.NewAccountClaims(systemKey)
	uc := jwt.NewUserClaims(userKey)
	decoded, err := jwt.DecodeOperatorClaims(encode(oc, operator))
	if err != nil {
		t.Fatal(err)
	}
	resolver := &server.MemAccResolver{}
	if err := errors.Join(resolver.Store(accountKey, encode(ac, operator)), resolver.Store(systemKey, encode(sc, operator))); err != nil {
		t.Fatal(err)
	}
	srv := startServer(t, &server.Options{TrustedOperators: []*jwt.OperatorClaims{decoded}, AccountResolver: resolver, SystemAccount: systemKey})
	creds, err := jwt.FormatUserConfig(encode(uc, account), seed)
	if err != nil {
		t.Fatal(err)
	}
	b, err := open(t, Config{URL: srv.ClientURL(), CredsFile: write(t, "user.creds", creds)})
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal(t)
	j.round(t, b, j.messages(3, bus.Events, 10))
	j.checkOnce(t, b)
}

// authority is a certificate authority of its own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue gives a certificate for a host and its key, as PEM.
func (a *authority) issue(t testing.TB, host string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &k.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	kder, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kder})
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	certPEM, keyPEM := ca.issue(t, "nats.example")
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	srv := startServer(t, &server.Options{TLS: true, TLSVerify: true, TLSTimeout: 2,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}})
	clientCert, clientKey := ca.issue(t, "client")
	caFile, otherFile := write(t, "ca.pem", ca.pem), write(t, "other.pem", other.pem)
	certFile, keyFile := write(t, "client.pem", clientCert), write(t, "client.key", clientKey)
	url := strings.Replace(srv.ClientURL(), "nats://", "tls://", 1)

	b, err := open(t, Config{URL: url, TLS: &bus.TLS{CAFile: caFile, CertFile: certFile, KeyFile: keyFile, ServerName: "nats.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); err != nil {
		t.Error(err)
	}
	start := time.Now()
	if _, err := open(t, Config{URL: url, TLS: &bus.TLS{CAFile: otherFile, CertFile: certFile, KeyFile: keyFile}}); err == nil || time.Since(start) > 2*time.Second {
		t.Errorf("another authority: %v after %s", err, time.Since(start))
	}
	if _, err := open(t, Config{URL: url, TLS: &bus.TLS{CAFile: caFile, CertFile: certFile, KeyFile: keyFile, ServerName: "evil.example"}}); err == nil {
		t.Error("another name")
	}
	if _, err := open(t, Config{URL: url, TLS: &bus.TLS{CAFile: caFile}}); err == nil {
		t.Error("no client certificate")
	}
	if _, err := open(t, Config{URL: url, TLS: &bus.TLS{CAFile: keyFile}}); err == nil || !strings.Contains(err.Error(), "PEM certificate") {
		t.Errorf("an authority that is none: %v", err)
	}
}

// TestOldServer: a server of an earlier version is refused, by its version.
func TestOldServer(t *testing.T) {
	for version, old := range map[string]bool{"2.11.10": true, "2.12.0": true, "1.4.1": true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			fmt.Fprintf(conn, "INFO {\"server_id\":\"x\",\"version\":%q,\"headers\":true,\"max_payload\":1048576}\r\n", version)
			buf := make([]byte, 4096)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				if bytes.Contains(buf[:n], []byte("PING")) {
					fmt.Fprint(conn, "PONG\r\n")
				}
			}
		}()
		_, err = open(t, Config{URL: "nats://" + l.Addr().String()})
		var ve *VersionError
		if errors.As(err, &ve) != old || (ve != nil && ve.Have != version) {
			t.Errorf("%s: %v", version, err)
		}
		_ = l.Close()
		<-done
	}
	for version, ok := range map[string]bool{"2.12.1": true, "2.12.10": true, "2.15.2": true, "3.0.0": true, "2.12.1-RC.2": true, "2.12": false, "": false, "2.9.99": false} {
		if atLeast(version, needVersion) != ok {
			t.Errorf("%q is enough: %v", version, !ok)
		}
	}
}

// TestUnreachable: Open waits for a server, and says so when ctx ends.
func TestUnreachable(t *testing.T) {
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, Config{URL: "nats://user:s3cret@" + addr})
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	if strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), addr) {
		t.Errorf("error %v", err)
	}
}

// TestPermissions: what the server does not allow is a TargetError, at once.
func TestPermissions(t *testing.T) {
	perms := &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"$JS.API.>", "$KV.>", "tim.events.>"}}}
	srv := startServer(t, &server.Options{Users: []*server.User{{Username: "tim", Password: "x", Permissions: perms}}})
	b, err := open(t, Config{URL: srv.ClientURL(), User: "tim", Password: "x", RequestTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal(t)
	j.round(t, b, j.messages(2, bus.Events, 10))
	for _, n := range []int{1, 5} {
		msgs := newJournal(t).messages(n, bus.DeadLetters, 10)
		plan, err := b.Plan(t.Context(), msgs)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err = b.Send(t.Context(), plan, msgs, false)
		var target *bus.TargetError
		if !errors.As(err, &target) || !errors.Is(err, nats.ErrPermissionViolation) || target.Target != "tim-deadletters" {
			t.Errorf("%d messages not allowed: %v", n, err)
		}
		if time.Since(start) > 5*time.Second {
			t.Errorf("it took %s to say so", time.Since(start))
		}
	}
	if _, err := b.Publish(t.Context(), bus.Commands, testEvent("io.timbridge.command.message.send.v1", "", "bot")); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("publish: %v", err)
	}
}

func TestRedactURL(t *testing.T) {
	for in, want := range map[string]string{
		"nats://u:p@host:4222":         "nats://host:4222",
		"nats://token@host":            "nats://host",
		"host:4222, tls://a:b@c:1":     "nats://host:4222,tls://c:1",
		"nats://u:p%zz@host:4222":      "?",
		"127.0.0.1:4222":               "nats://127.0.0.1:4222",
		"nats://a@h1:1,nats://b@h2:2,": "nats://h1:1,nats://h2:2,",
	} {
		if got := redactURL(in); got != want {
			t.Errorf("redactURL(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	for attempt := range 70 {
		if d := backoff(attempt); d < 50*time.Millisecond || d > 3*time.Second {
			t.Errorf("attempt %d waits %s", attempt, d)
		}
	}
}
