//go:build unix

package kafkatest

import "syscall"

// Freeze stops the broker in its tracks: it keeps its connections and answers
// nothing, until Thaw.
func (b *Broker) Freeze() error { return b.signal(syscall.SIGSTOP) }

// Thaw has a frozen broker go on.
func (b *Broker) Thaw() error { return b.signal(syscall.SIGCONT) }
