//go:build !linux

package kafkatest

import "syscall"

// diesWithUs is for Linux alone; elsewhere who is killed leaves its
// broker behind.
func diesWithUs() *syscall.SysProcAttr { return nil }
