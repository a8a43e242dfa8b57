package kafkatest

import "syscall"

// diesWithUs has a process end with this one, however that ends.
func diesWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
