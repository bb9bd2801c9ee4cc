package etcd

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weirmesh/weir/xds-server/internal/etcdtest"
)

// program is an etcd as its users run it.
type program struct {
	path, folder, client, peer string
	command                    *exec.Cmd
	ended                      chan struct{} // closed when command has ended
}

// TestComponent follows a real etcd through transactions, a compaction while the
// connection is cut, and a kill.
func TestComponent(t *testing.T) {
	path := os.Getenv("WEIR_ETCD")
	if path == "" {
		t.Skip("WEIR_ETCD does not name an etcd: it is not tested as a program")
	}
	if _, err := exec.LookPath(path); err != nil {
		t.Fatalf("WEIR_ETCD: %v", err)
	}
	etcd := &program{path: path, folder: t.TempDir(), client: freeAddress(t), peer: freeAddress(t)}
	etcd.start(t)
	p := newProxy(t, etcd.client)
	client := etcdtest.NewClient(t, etcd.client)
	wait := follow(t, newSource(t, Options{Endpoints: []string{p.address()}}), nil)
	etcd.put(t, client, "/weir/a", "0")
	wait(is("a=0"))
	for i := range 200 {
		_, err := client.Txn(t.Context()).Then(clientv3.OpPut("/weir/a", fmt.Sprint(i)), clientv3.OpPut("/weir/b", fmt.Sprint(i))).Commit()
		if err != nil {
			t.Fatal(err)
		}
	}
	wait(is("a=199 b=199"))

	p.cut()
	wait(contains("a=199 b=199 ! "))
	must[*clientv3.DeleteResponse](t)(client.Delete(t.Context(), "/weir/b"))
	revision := etcd.put(t, client, "/weir/c", "1")
	must[*clientv3.CompactResponse](t)(client.Compact(t.Context(), revision))
	p.resume()
	wait(is("a=199 c=1"))

	etcd.kill(t)
	wait(contains("a=199 c=1 ! "))
	etcd.start(t)
	etcd.put(t, client, "/weir/d", "1")
	wait(is("a=199 c=1 d=1"))
}

// start starts the program on a thread that stays: its parent's end is its own.
func (p *program) start(t *testing.T) {
	t.Helper()
	log := must[*os.File](t)(os.OpenFile(filepath.Join(p.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600))
	p.command = exec.Command(p.path,
		"--name", "weir", "--data-dir", filepath.Join(p.folder, "data"),
		"--listen-client-urls", "http://"+p.client, "--advertise-client-urls", "http://"+p.client,
		"--listen-peer-urls", "http://"+p.peer, "--initial-advertise-peer-urls", "http://"+p.peer,
		"--initial-cluster", "weir=http://"+p.peer)
	p.command.Stdout, p.command.Stderr = log, log
	command, started, ended := p.command, make(chan error), make(chan struct{})
	p.ended = ended
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		defer log.Close()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("etcd said:\n%s", said[max(0, len(said)-4000):])
		}
	})
}

func (p *program) kill(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
}

// put writes a key, as soon as the program serves.
func (p *program) put(t *testing.T, client *clientv3.Client, key, value string) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		limited, stop := context.WithTimeout(ctx, time.Second)
		answer, err := client.Put(limited, key, value)
		stop()
		if err == nil {
			return answer.Header.GetRevision()
		}
		if ctx.Err() != nil {
			t.Fatalf("etcd does not serve: %v", err)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	reserved := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer reserved.Close()
	return reserved.Addr().String()
}
