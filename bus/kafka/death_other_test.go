//go:build !linux

package kafka

import "syscall"

// diesWithUs is for Linux alone; elsewhere a test that is killed leaves its
// broker behind.
func diesWithUs() *syscall.SysProcAttr { return nil }
