package bridge_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/config"
)

func TestCheckAccess(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir string)
		// root says that the superuser cannot do it either.
		root, ok bool
	}{
		{"nothing there yet", func(*testing.T, string) {}, true, true},
		{"folders and files", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "nats", "state")) }, true, true},
		{"a file instead", func(t *testing.T, dir string) { write(t, dir) }, true, false},
		{"a file above it", func(t *testing.T, dir string) { write(t, filepath.Dir(dir)) }, true, false},
		{"not to be written", func(t *testing.T, dir string) { closed(t, dir, 0o500) }, false, false},
		{"not to be made", func(t *testing.T, dir string) { closed(t, filepath.Dir(dir), 0o500) }, false, false},
		{"a folder not to be read", func(t *testing.T, dir string) { closed(t, filepath.Join(dir, "nats"), 0) }, false, false},
		{"a file not to be read", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "journal", "LOCK")
			write(t, path)
			if err := os.Chmod(path, 0); err != nil {
				t.Fatal(err)
			}
		}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.root && os.Geteuid() == 0 {
				t.Skip("the superuser may do everything")
			}
			dir := filepath.Join(t.TempDir(), "above", "data")
			c.make(t, dir)
			if err := bridge.CheckAccess(dir); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// closed makes a folder that is open again when the test ends.
func closed(t *testing.T, dir string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, mode)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Error(err)
		}
	})
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestCheckSecrets(t *testing.T) {
	cfg := config.Default()
	cfg.DataDir = t.TempDir()
	if err := bridge.CheckSecrets(cfg); err != nil {
		t.Errorf("before the first run: %v", err)
	}
	write(t, filepath.Join(cfg.DataDir, "im.key"))
	var none *bridge.SecretError
	if err := bridge.CheckSecrets(cfg); !errors.As(err, &none) || none.Path != filepath.Join(cfg.DataDir, "im.key") {
		t.Errorf("of an empty key: %v", err)
	}
	cfg.App.Driver.Key = config.NewSecret("0123456789abcdef")
	if err := bridge.CheckSecrets(cfg); err != nil {
		t.Errorf("with the key in the configuration: %v", err)
	}
}
