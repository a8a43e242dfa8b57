//go:build !unix

package nats

import "errors"

// freeBytes is not known here; the server is then simply tried again.
func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }

// diskBytes is not known here; the server then goes by what is free.
func diskBytes(string) (int64, error) { return 0, errors.ErrUnsupported }
