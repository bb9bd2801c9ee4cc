package loadgen_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/loadgen"
)

var request = [][]byte{loadgen.Request("/", []byte(`{}`))}

func run(t *testing.T, o loadgen.Options) *loadgen.Report {
	t.Helper()
	o.Bodies = request
	r, err := loadgen.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRunKeepsOddAnswers(t *testing.T) {
	u, err := loadgen.Serve([]byte("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 3\r\n\r\nwhy"))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	var progress loadgen.Progress
	r := run(t, loadgen.Options{Address: u.Address(), Conns: 2, Total: 100, Want: http.StatusOK, Progress: &progress})
	if progress.Failed.Load() != 100 || progress.Good.Load() != 0 {
		t.Errorf("of 100 failures %d were seen while it went on, and %d good answers", progress.Failed.Load(), progress.Good.Load())
	}
	if len(r.Odd) != 10 || r.Odd[0].Status != 503 || r.Odd[0].Text != "why" || r.Statuses[503] != 100 {
		t.Fatalf("odd answers %+v of %s", r.Odd, r)
	}
	if r = run(t, loadgen.Options{Address: u.Address(), Conns: 2, Total: 100, Want: 503}); len(r.Odd) != 0 || !r.Only(503) {
		t.Fatalf("wanted answers were kept: %s", r)
	}
}

func TestRunOpensConnectionsAnew(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	r := run(t, loadgen.Options{Address: strings.TrimPrefix(server.URL, "https://"), Conns: 2, Total: 100, PerConn: 5,
		TLS: &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}})
	// Each of the two connections ends with one that is not used up.
	if n := connections.Load(); !r.Only(200) || r.Answered() != 100 || n < 20 || n > 21 {
		t.Fatalf("100 requests took %d connections, want 20 or 21: %s", n, r)
	}
}

func TestRunRefusesAnUntrustedServer(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it tells of each handshake
	server.StartTLS()
	defer server.Close()
	r := run(t, loadgen.Options{Address: strings.TrimPrefix(server.URL, "https://"), Conns: 1, Total: 2, TLS: &tls.Config{ServerName: "example.com"}})
	if r.Broken != 2 || len(r.Odd) != 2 || !strings.Contains(r.Odd[0].Text, "certificate") {
		t.Fatalf("want two refused handshakes, got %s", r)
	}
}

// The end of a run in the middle of a handshake is nobody's failure.
func TestEndOfRunBreaksNothing(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		end()
		return nil, nil
	}}
	server.StartTLS()
	defer server.Close()
	r, err := loadgen.Run(ctx, loadgen.Options{Address: server.Listener.Addr().String(), Conns: 1, Total: 10, Bodies: request,
		TLS: &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}})
	if err != nil || !r.Only(200) || r.Answered() != 1 {
		t.Fatalf("want the one request that had begun, got %s, %v", r, err)
	}
}

// A server that stalls must not be spared the requests that come meanwhile: the
// latency counts from when each was due.
func TestRateCountsFromWhenDue(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	const stall = 200 * time.Millisecond
	time.AfterFunc(stall, func() { close(release) })
	r := run(t, loadgen.Options{Address: strings.TrimPrefix(server.URL, "http://"), Conns: 1, Total: 20, Rate: 200})
	if !r.Only(200) || r.Quantile(.4) < stall/4 {
		t.Fatalf("one connection that waited %s: %s", stall, r)
	}
}

func TestRunGivesUpOnSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // the kernel accepts; nobody answers
	r := run(t, loadgen.Options{Address: l.Addr().String(), Conns: 1, Total: 1, Timeout: 10 * time.Millisecond})
	if r.Broken != 1 || r.Answered() != 0 {
		t.Fatalf("want one broken connection, got %s", r)
	}
}

func TestDrainCostsNoRequest(t *testing.T) {
	u, err := loadgen.Serve(loadgen.Answer(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	load, end := context.WithCancel(ctx)
	done := make(chan *loadgen.Report)
	go func() {
		r, err := loadgen.Run(load, loadgen.Options{Address: u.Address(), Conns: 4, Total: 1 << 20, Rate: 2000, Bodies: request})
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	for u.Served() < 100 {
		if err := ctx.Err(); err != nil {
			t.Fatal(err)
		}
	}
	drained := make(chan error)
	go func() { drained <- u.Drain(ctx) }()
	end() // the clients leave
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	if r := <-done; !r.Only(200) || u.Served() != r.Answered() {
		t.Fatalf("%d requests were served: %s", u.Served(), r)
	}
	if _, err := net.Dial("tcp", u.Address()); err == nil {
		t.Fatal("it still listens")
	}
}
