package onnx

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"unsafe"
)

// action is the kernel's struct sigaction on amd64 and arm64.
type action struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

func sigaction(t *testing.T, s syscall.Signal, set *action) (was action) {
	t.Helper()
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(&was)), unsafe.Sizeof(was.mask), 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return was
}

func TestSignalHandlersAreMended(t *testing.T) {
	const onStack = 0x08000000
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	defer signal.Stop(told)
	saveSignals()

	gos := sigaction(t, syscall.SIGUSR1, nil)
	bad := gos
	bad.flags &^= onStack
	sigaction(t, syscall.SIGUSR1, &bad)
	usr2 := sigaction(t, syscall.SIGUSR2, &action{}) // the default, which needs no stack
	mendSignals()
	if now := sigaction(t, syscall.SIGUSR2, &usr2); now.handler != 0 {
		t.Errorf("the default action became %+v", now)
	}
	if now := sigaction(t, syscall.SIGUSR1, nil); now.flags != gos.flags || now.handler != gos.handler {
		sigaction(t, syscall.SIGUSR1, &gos)
		t.Fatalf("the handler is %+v, Go's is %+v", now, gos)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	<-told
}
