//go:build unix && !linux

package supervise

import "syscall"

// attributes make the child lead its own process group. There is no way here to
// make it die with its parent.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
