package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/tim"
)

// TestSecretsMade: the first run makes them for its owner alone, and later ones
// keep them.
func TestSecretsMade(t *testing.T) {
	cfg := newConfig(t)
	cfg.DataDir = filepath.Join(cfg.DataDir, "made")
	if _, err := ReadKey(cfg); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the first run: %v", err)
	}
	var first []string
	for range 2 {
		r := launch(t, cfg)
		r.awaitReady()
		r.stop()
		var now []string
		for _, name := range []string{keyFile, tokenFile, imTokenFile} {
			path := filepath.Join(cfg.DataDir, name)
			info, err := os.Stat(path)
			must(t, err)
			if mode := info.Mode().Perm(); mode != 0o600 {
				t.Errorf("%s has mode %o", name, mode)
			}
			secret, err := ReadSecret(cfg.DataDir, name)
			must(t, err)
			if len(secret) != 64 {
				t.Errorf("%s has %d characters", name, len(secret))
			}
			now = append(now, secret)
		}
		if info, err := os.Stat(cfg.DataDir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the data directory: %v, %v", info.Mode(), err)
		}
		if first == nil {
			first = now
		}
		if fmt.Sprint(first) != fmt.Sprint(now) {
			t.Error("the second run has other secrets than the first")
		}
		if now[0] == now[1] || now[1] == now[2] || now[0] == now[2] {
			t.Error("two secrets are the same")
		}
	}
}

// TestSecretMadeOnce: of several processes that start at once, all get the same.
func TestSecretMadeOnce(t *testing.T) {
	dir := t.TempDir()
	got := make([]string, 16)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = ReadOrMakeSecret(dir, "x"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range got {
		if s != got[0] {
			t.Fatalf("%d different secrets", len(got))
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("in the folder: %v, %v", left, err)
	}
}

func TestSecretTooShort(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "x"), []byte("short\n"), 0o600))
	if _, err := ReadOrMakeSecret(dir, "x"); err == nil || !strings.Contains(err.Error(), "holds no secret") {
		t.Errorf("a file with %q: %v", "short", err)
	}
}

// TestSecretsNeverPrinted looks for every secret and for what was said in all
// that a bridge tells, at the most talkative level.
func TestSecretsNeverPrinted(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	cfg.App.Driver.URL = strings.Replace(cfg.App.Driver.URL, "ws://", "ws://someone:passw0rd-of-im@", 1)
	var out lockedBuffer
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &out, IndependentLevels: true})
	b, err := openBridge(t, cfg, Options{Logger: log})
	must(t, err)
	r := run(t, b)
	r.awaitReady()
	const said = "what nobody else may read"
	say(t, s.person("alice", tim.PlatformOther), said)
	d := desk(t, cfg)
	publish(t, d, "c1", "alice", said)
	publish(t, d, "c2", "nobody\x00", said)
	awaitTexts(t, d, said, said)
	s.stop()
	r.awaitState(AccountDisconnected)
	s.start()
	r.awaitReady()
	_, health := r.get("/ready")
	_, metrics := r.get("/metrics")
	info, err := json.Marshal(r.Info())
	must(t, err)
	token, err := ReadSecret(cfg.DataDir, tokenFile)
	must(t, err)
	sig, err := r.accounts.list[0].sig()
	must(t, err)
	r.stop()
	told := out.String() + health + metrics + string(info) + fmt.Sprintf("%+v", r.Info())
	if !strings.Contains(told, "account connected") {
		t.Fatal("the log is not there")
	}
	for what, secret := range map[string]string{
		"key": testKey, "token of the sandbox": testToken, "token of the bus": token, "UserSig": sig[:40], "password": "passw0rd-of-im", "text": said,
	} {
		if i := strings.Index(told, secret); i >= 0 {
			t.Errorf("the %s is told: …%s…", what, told[max(0, i-200):min(len(told), i+100)])
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestWithoutSecrets(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "",
		"nats://host:4222":                   "nats://host:4222",
		"nats://user:pass@host:4222":         "nats://host:4222",
		"nats://token@a:1, tls://u:p@ss@b:2": "nats://a:1,tls://b:2",
		"ws://u:p@host/path?x=1":             "ws://host/path?x=1",
		"host:4222":                          "host:4222",
		"user:pass@host":                     "host",
	} {
		if got := withoutSecrets(in); got != want {
			t.Errorf("%q becomes %q, not %q", in, got, want)
		}
	}
}
