package bridge

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files of secrets that the first run makes in the data directory, mode 0600.
// The other subcommands find them there.
const (
	keyFile     = "im.key"
	tokenFile   = "bus.token"
	imTokenFile = "im.token"
)

// SecretError says that a file of the data directory holds no secret, or not all of it.
type SecretError struct{ Path string }

func (e *SecretError) Error() string {
	return e.Path + " holds no secret; remove the file to have a new one made"
}

// ReadOrMakeSecret returns the content of a file of the data directory; where
// there is none it makes one at random, 32 bytes in hex. Of several processes
// that make it at once, all get the same.
func ReadOrMakeSecret(dir, name string) (string, error) {
	secret, err := ReadSecret(dir, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	path := filepath.Join(dir, name)
	if err := makeSecret(dir, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make %s: %w", path, err)
	}
	return ReadSecret(dir, name)
}

// makeSecret writes a new secret. The file appears whole, and only if there is
// none: then the error is [fs.ErrExist].
func makeSecret(dir, path string) (err error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".secret-") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(hex.EncodeToString(b) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// ReadSecret returns the content of a file of the data directory; the error
// wraps [fs.ErrNotExist] before the first run.
func ReadSecret(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(b))
	if len(secret) < 16 {
		return "", &SecretError{Path: path}
	}
	return secret, nil
}
