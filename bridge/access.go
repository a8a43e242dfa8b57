package bridge

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/timbridge/timbridge/config"
)

// CheckAccess says what of a data directory this process cannot use as a bridge
// has to: list every folder and make files in it, read and write those that are
// there. Where there is no folder yet, it must be possible to make one. Nothing
// is left changed. Not to be asked while a bridge runs there.
func CheckAccess(dir string) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at):
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return &fs.PathError{Op: "open", Path: at, Err: syscall.ENOTDIR}
		case at != filepath.Clean(dir):
			return writable(at)
		}
		real, err := filepath.EvalSymlinks(at)
		if err != nil {
			return err
		}
		return filepath.WalkDir(real, accessible)
	}
}

// accessible is a [fs.WalkDirFunc].
func accessible(path string, d fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case d.IsDir():
		return writable(path)
	case !d.Type().IsRegular():
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// writable makes a file in a folder and removes it.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".access-")
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return nil // that is another matter, and passes
	case err != nil:
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err // the folder is meant, not the file in it
		}
		return &fs.PathError{Op: "write to", Path: dir, Err: err}
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// CheckSecrets says which of the secrets that a bridge of this configuration
// reads from its data directory it cannot use. One that is not there yet is made
// by the first run.
func CheckSecrets(cfg *config.Config) error {
	var errs []error
	check := func(set bool, name string) {
		if set {
			return
		}
		if _, err := ReadSecret(cfg.DataDir, name); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			errs = append(errs, err)
		}
	}
	check(cfg.App.Driver.URL != "" || cfg.App.Driver.Key.IsSet(), keyFile)
	check(cfg.App.Driver.URL != "" || cfg.App.Driver.Token.IsSet(), imTokenFile)
	check(!BusEmbedded(cfg) || cfg.Bus.NATS.Token.IsSet(), tokenFile)
	return errors.Join(errs...)
}
