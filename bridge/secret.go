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

	"github.com/google/renameio/v2/maybe"
)

// Files of secrets that the first run makes in the data directory, mode 0600.
// The other subcommands find them there.
const (
	keyFile     = "im.key"
	tokenFile   = "bus.token"
	imTokenFile = "im.token"
)

// ReadOrMakeSecret returns the content of a file of the data directory; where
// there is none it makes one at random, 32 bytes in hex.
func ReadOrMakeSecret(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	secret, err := ReadSecret(dir, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("make %s: %w", path, err)
	}
	secret = hex.EncodeToString(b)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make %s: %w", path, err)
	}
	if err := maybe.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("make %s: %w", path, err)
	}
	return secret, nil
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
		return "", fmt.Errorf("%s holds no secret; remove the file to have a new one made", path)
	}
	return secret, nil
}
