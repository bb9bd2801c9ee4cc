package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay passes TCP connections on to the first of its targets that takes them,
// as the address of several replicas does.
type relay struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu      sync.Mutex
	targets []string              // guarded by mu
	open    map[net.Conn]struct{} // guarded by mu; nil once closed
}

func newRelay(t *testing.T, targets ...string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, targets: targets, open: make(map[net.Conn]struct{})}
	r.wg.Go(r.accept)
	t.Cleanup(func() {
		_ = l.Close()
		r.cut(nil)
		r.wg.Wait()
	})
	return r
}

func (r *relay) port() int { return r.listener.Addr().(*net.TCPAddr).Port }

// lead has new connections go to targets, and cuts the others.
func (r *relay) lead(targets ...string) { r.cut(targets) }

func (r *relay) cut(targets []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.targets = targets
	for c := range r.open {
		_ = c.Close() // its copiers see it
	}
	clear(r.open)
}

func (r *relay) accept() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.serve(c) })
	}
}

func (r *relay) serve(client net.Conn) {
	defer client.Close()
	target := r.join(client)
	if target == nil {
		return
	}
	defer target.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(target, client) // either side's end is the other's
		_ = target.Close()
		_ = client.Close()
	}()
	_, _ = io.Copy(client, target)
	_ = target.Close()
	_ = client.Close()
	<-done
}

// join connects to a target; nil when none takes the connection.
func (r *relay) join(client net.Conn) net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, address := range r.targets {
		target, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		r.open[client], r.open[target] = struct{}{}, struct{}{}
		return target
	}
	return nil
}
