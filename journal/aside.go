package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strconv"
)

// keep gives a file a second name under which it stays, and returns it. The
// file itself stays where it is until another one replaces it, so that no crash
// leaves a hole.
func (r *repairer) keep(name string) (kept string, err error) {
	for n := 1; ; n++ {
		kept = name + damagedInfix + strconv.Itoa(n)
		same, err := r.sameFile(name, kept)
		if err != nil {
			return "", err
		}
		if same { // an earlier repair came this far
			break
		}
		err = r.fs.Link(r.path(name), r.path(kept))
		if errors.Is(err, errors.ErrUnsupported) {
			err = r.copyFile(name, kept)
		}
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		break
	}
	if !slices.Contains(r.report.KeptAs, kept) {
		r.report.KeptAs = append(r.report.KeptAs, kept)
	}
	return kept, r.fs.SyncDir(r.dir)
}

// sameFile reports whether the second file is there and has the contents of the first.
func (r *repairer) sameFile(a, b string) (bool, error) {
	fb, err := r.fs.Open(r.path(b))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer fb.Close()
	fa, err := r.fs.Open(r.path(a))
	if err != nil {
		return false, err
	}
	defer fa.Close()
	na, err := fa.Size()
	if err != nil {
		return false, err
	}
	if nb, err := fb.Size(); err != nil || na != nb {
		return false, err
	}
	pa, pb := make([]byte, readChunk), make([]byte, readChunk)
	for off := int64(0); off < na; off += readChunk {
		n := min(readChunk, na-off)
		if _, err := readFull(patientFile{fa}, pa[:n], off); err != nil {
			return false, err
		}
		if _, err := readFull(patientFile{fb}, pb[:n], off); err != nil {
			return false, err
		}
		if !bytes.Equal(pa[:n], pb[:n]) {
			return false, nil
		}
	}
	return true, nil
}

// copyFile is for file systems without links. A copy that a crash cut short has
// other contents and is left; the next repair takes the next name.
func (r *repairer) copyFile(from, to string) error {
	src, err := r.fs.Open(r.path(from))
	if err != nil {
		return err
	}
	defer src.Close()
	size, err := src.Size()
	if err != nil {
		return err
	}
	if existing, err := r.fs.Open(r.path(to)); err == nil {
		_ = existing.Close()
		return fs.ErrExist
	}
	dst, err := r.fs.Create(r.path(to))
	if err != nil {
		return err
	}
	buf := make([]byte, readChunk)
	for off := int64(0); off < size; off += readChunk {
		n := min(readChunk, size-off)
		if _, err := readFull(patientFile{src}, buf[:n], off); err != nil {
			return errors.Join(err, dst.Close())
		}
		if _, err := dst.WriteAt(buf[:n], off); err != nil {
			return errors.Join(err, dst.Close())
		}
	}
	if err := dst.Sync(); err != nil {
		return errors.Join(err, dst.Close())
	}
	return dst.Close()
}

// setAside takes a file out of the journal.
func (r *repairer) setAside(name string) error {
	if _, err := r.keep(name); err != nil {
		return err
	}
	if err := r.fs.Remove(r.path(name)); err != nil {
		return err
	}
	return r.fs.SyncDir(r.dir)
}
