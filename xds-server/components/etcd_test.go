package components

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/etcd"
)

// member is an etcd process whose data outlive it.
type member struct {
	binary, dir  string
	client, peer string // addresses
	cmd          *exec.Cmd
}

func newMember(t *testing.T) *member {
	t.Helper()
	return &member{binary: artefact.Program(t, "WEIR_ETCD"), dir: filepath.Join(t.TempDir(), "etcd"), client: freeAddress(t), peer: freeAddress(t)}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (m *member) start(t *testing.T) {
	t.Helper()
	m.cmd = exec.Command(m.binary, "--data-dir", m.dir, "--log-level", "error",
		"--listen-client-urls", "http://"+m.client, "--advertise-client-urls", "http://"+m.client,
		"--listen-peer-urls", "http://"+m.peer, "--initial-advertise-peer-urls", "http://"+m.peer,
		"--initial-cluster", "default=http://"+m.peer)
	m.cmd.Stdout, m.cmd.Stderr = t.Output(), t.Output()
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.kill)
}

// kill ends the process as a crash does.
func (m *member) kill() {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Kill() // fails only when it has ended already
	_ = m.cmd.Wait()
	m.cmd = nil
}

// newClient waits until the member answers.
func (m *member) newClient(t *testing.T) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{m.client}, DialTimeout: 30 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		if _, err = client.Get(ctx, "/"); err == nil {
			return client
		}
		if ctx.Err() != nil {
			t.Fatalf("etcd does not answer: %v", err)
		}
	}
}

func put(t *testing.T, client *clientv3.Client, key, value string) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	response, err := client.Put(ctx, key, value)
	if err != nil {
		t.Fatal(err)
	}
	return (*pb.PutResponse)(response).GetHeader().GetRevision()
}

// deliveries collects what a watch delivers.
type deliveries struct {
	mu    sync.Mutex
	last  source.Update
	fresh chan struct{}
}

func (d *deliveries) take(u source.Update) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = u
	select {
	case d.fresh <- struct{}{}:
	default:
	}
}

// await waits for a delivery that is as wanted.
func (d *deliveries) await(t *testing.T, what string, wanted func(source.Update) bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		d.mu.Lock()
		last := d.last
		d.mu.Unlock()
		if wanted(last) {
			return
		}
		select {
		case <-d.fresh:
		case <-deadline:
			t.Fatalf("%s: the last delivery is %+v", what, last)
		}
	}
}

func holds(name, data string) func(source.Update) bool {
	return func(u source.Update) bool {
		for _, d := range u.Documents {
			if d.Name == name && bytes.Equal(d.Data, []byte(data)) {
				return true
			}
		}
		return false
	}
}

// TestEtcdAsAProcess has the source follow a real etcd through its death by
// SIGKILL, and through a compaction of all that was missed.
func TestEtcdAsAProcess(t *testing.T) {
	m := newMember(t)
	m.start(t)
	client := m.newClient(t)
	put(t, client, "/weir/a.yaml", "first")
	put(t, client, "/elsewhere", "not ours")

	s, err := etcd.New(etcd.Options{Endpoints: []string{m.client}})
	if err != nil {
		t.Fatal(err)
	}
	d := &deliveries{fresh: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- source.Watch(ctx, []source.Source{s}, source.DefaultTiming(), d.take) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	d.await(t, "the first read", holds("a.yaml", "first"))
	put(t, client, "/weir/a.yaml", "second")
	d.await(t, "a change", holds("a.yaml", "second"))

	m.kill()
	d.await(t, "the loss is told, and what was held is kept", func(u source.Update) bool {
		return len(u.Problems) > 0 && holds("a.yaml", "second")(u)
	})
	m.start(t)
	client = m.newClient(t)
	var last int64
	for i := range 50 {
		last = put(t, client, "/weir/b.yaml", fmt.Sprint(i))
	}
	if _, err := client.Compact(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	d.await(t, "after the restart", func(u source.Update) bool {
		return len(u.Problems) == 0 && holds("a.yaml", "second")(u) && holds("b.yaml", "49")(u)
	})
	if _, err := client.Delete(t.Context(), "/weir/a.yaml"); err != nil {
		t.Fatal(err)
	}
	d.await(t, "a removal", func(u source.Update) bool { return len(u.Documents) == 1 && holds("b.yaml", "49")(u) })
}
