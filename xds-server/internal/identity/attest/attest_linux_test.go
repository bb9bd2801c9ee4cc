package attest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// connectTo is the environment variable that makes the test binary a client: it
// connects, says so and stays until its input ends.
const connectTo = "ATTEST_TEST_CONNECT"

func TestMain(m *testing.M) {
	socket := os.Getenv(connectTo)
	if socket == "" {
		os.Exit(m.Run())
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("connected")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = conn.Close()
}

func accept(t *testing.T, l net.Listener) (net.Conn, *Caller) {
	t.Helper()
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn, info, err := Credentials{}.ServerHandshake(raw)
	if err != nil {
		t.Fatal(err)
	}
	return conn, info.(*Caller)
}

func listenUnix(t *testing.T) (net.Listener, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, path
}

// TestCallerIsBoundToItsProcess proves a child process, and that nothing can be
// proved of it once it has ended, whoever gets its number.
func TestCallerIsBoundToItsProcess(t *testing.T) {
	l, path := listenUnix(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program)
	child.Env = append(os.Environ(), connectTo+"="+path)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "connected\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	conn, caller := accept(t, l)
	defer conn.Close()
	if int(caller.PID) != child.Process.Pid {
		t.Fatalf("PID = %d, want %d", caller.PID, child.Process.Pid)
	}
	got, err := caller.Selectors(true)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	want := []string{
		fmt.Sprintf("unix:uid:%d", os.Geteuid()), fmt.Sprintf("unix:gid:%d", os.Getegid()),
		"unix:path:" + program, "unix:sha256:" + hex.EncodeToString(sum[:]),
	}
	if !slices.Equal(got, want) {
		t.Fatalf("selectors = %q, want %q", got, want)
	}
	_ = stdin.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if got, err := caller.Selectors(true); err == nil {
		t.Fatalf("a process that ended proved %q", got)
	}
}

func TestPeerThatEndedIsRefused(t *testing.T) {
	l, path := listenUnix(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program)
	child.Env = append(os.Environ(), connectTo+"="+path)
	if err := child.Run(); err != nil { // no input: it connects and ends
		t.Fatal(err)
	}
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, _, err := (Credentials{}).ServerHandshake(raw); err == nil {
		t.Fatal("a connection whose process has ended was accepted")
	}
}

func TestOtherConnectionsAreRefused(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, _, err := (Credentials{}).ServerHandshake(a); err == nil {
		t.Error("a pipe was accepted")
	}
	if _, _, err := (Credentials{}).ClientHandshake(context.Background(), "", a); err == nil {
		t.Error("the credentials served a client")
	}
	if _, err := FromContext(context.Background()); err == nil {
		t.Error("a call without a peer has a caller")
	}
}

func TestReleasedCallerProvesNothing(t *testing.T) {
	l, path := listenUnix(t)
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, caller := accept(t, l)
	if _, err := caller.Selectors(false); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := caller.Selectors(false); err == nil {
		t.Error("a closed connection still proves its process")
	}
}
