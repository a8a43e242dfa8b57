//go:build !unix

package nats

import "errors"

// freeBytes is not known here; the server is then simply tried again.
func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }
