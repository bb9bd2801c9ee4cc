package etcd

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.uber.org/zap"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

func tlsInfo(cert, key, ca string) transport.TLSInfo {
	return transport.TLSInfo{CertFile: cert, KeyFile: key, TrustedCAFile: ca, ClientCertAuth: ca != "", Logger: zap.NewNop()}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// newSource is a source that notices quickly when something is lost.
func newSource(t *testing.T, o Options) *Source {
	t.Helper()
	s := must[*Source](t)(New(o))
	s.timing = timing{request: 5 * time.Second, probe: 50 * time.Millisecond, silence: 500 * time.Millisecond, retry: 20 * time.Millisecond}
	return s
}

var fast = source.Timing{
	Quiet: time.Millisecond, Max: 10 * time.Millisecond,
	Patience: 30 * time.Second, Retry: 20 * time.Millisecond, Recheck: time.Hour,
}

// follow watches a source and returns a function that waits until what was
// delivered is as wanted.
func follow(t *testing.T, s source.Source, each func(source.Update)) (wait func(want func(text string) bool)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	updates, done := make(chan source.Update, 100_000), make(chan error, 1)
	go func() {
		done <- source.Watch(ctx, []source.Source{s}, fast, func(u source.Update) {
			if each != nil {
				each(u)
			}
			updates <- u
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(want func(string) bool) {
		t.Helper()
		deadline, last := time.After(60*time.Second), "nothing"
		for {
			select {
			case u := <-updates:
				if last = describe(u); want(last) {
					return
				}
			case <-deadline:
				t.Fatalf("what was delivered last is not what is wanted: %.1000s", last)
			}
		}
	}
}

func describe(u source.Update) string {
	var parts []string
	for _, d := range u.Documents {
		parts = append(parts, d.Name+"="+string(d.Data))
	}
	for _, p := range u.Problems {
		parts = append(parts, "! "+p.String())
	}
	return strings.Join(parts, " ")
}

func is(want string) func(string) bool { return func(got string) bool { return got == want } }

func contains(parts ...string) func(string) bool {
	return func(got string) bool {
		for _, part := range parts {
			if !strings.Contains(got, part) {
				return false
			}
		}
		return true
	}
}

// proxy stands between a client and an etcd: connections can be cut, refused
// and stalled.
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu      sync.Mutex
	refuses bool
	stalled chan struct{} // closed when nothing is stalled
	open    map[net.Conn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{listener: must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0")), target: target, open: make(map[net.Conn]bool), stalled: make(chan struct{})}
	close(p.stalled)
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = p.listener.Close()
		p.resume()
		p.cut()
		p.running.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		p.mu.Lock()
		if err != nil || p.refuses {
			_ = in.Close()
			if err == nil {
				_ = out.Close()
			}
			p.mu.Unlock()
			continue
		}
		p.open[in], p.open[out] = true, true
		p.mu.Unlock()
		p.running.Go(func() { p.pipe(in, out) })
		p.running.Go(func() { p.pipe(out, in) })
	}
}

func (p *proxy) pipe(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		stalled := p.stalled
		p.mu.Unlock()
		<-stalled
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

// cut ends all connections and refuses new ones.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = true
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = make(chan struct{})
}

// resume lets everything through again.
func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = false
	select {
	case <-p.stalled:
	default:
		close(p.stalled)
	}
}
