package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
)

// collector takes spans as they come: messages of OpenTelemetry's protocol, in which
// texts stand as they are.
type collector struct {
	address string
	mu      sync.Mutex
	got     bytes.Buffer // guarded by mu
	methods map[string]bool
}

// asIs reads and writes messages as the bytes that they are.
type asIs struct{}

func (asIs) Name() string { return "proto" }

func (asIs) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (asIs) Unmarshal(p mem.BufferSlice, v any) error {
	*v.(*[]byte) = p.Materialize()
	return nil
}

var _ encoding.CodecV2 = asIs{}

// startCollector serves until the test ends.
func startCollector(t *testing.T) *collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{address: l.Addr().String(), methods: map[string]bool{}}
	server := grpc.NewServer(grpc.ForceServerCodecV2(asIs{}), grpc.UnknownServiceHandler(c.take))
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-done })
	return c
}

// take takes one message and answers with an empty one.
func (c *collector) take(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	var p []byte
	if err := stream.RecvMsg(&p); err != nil {
		return err
	}
	c.mu.Lock()
	c.got.Write(p)
	c.methods[method] = true
	c.mu.Unlock()
	return stream.SendMsg(&[]byte{})
}

// await returns all spans, once as many have a text.
func (c *collector) await(t *testing.T, text string, n int) []byte {
	t.Helper()
	var all []byte
	eventually(t, 30*time.Second, func() error {
		c.mu.Lock()
		all = bytes.Clone(c.got.Bytes())
		c.mu.Unlock()
		if got := bytes.Count(all, []byte(text)); got < n {
			return fmt.Errorf("%d of %d spans say %s", got, n, text)
		}
		return nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.methods) != 1 || !c.methods["/opentelemetry.proto.collector.trace.v1.TraceService/Export"] {
		t.Errorf("calls of %v", c.methods)
	}
	return all
}

// TestTracing has a real Envoy send a span of each request, which says the path without
// its query, the model and its version, and goes on with the trace of the client.
func TestTracing(t *testing.T) {
	artefact.Built(t, "filter.wasm")
	spans := startCollector(t)
	s := boot(t, change{"gateway.yaml", "", "  tracing: {endpoints: [\"" + spans.address + "\"], insecure: true, percent: 100}\n"})
	const trace = "\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36"
	a := s.post(t, "/v1/chat/completions?who="+ownMail, chat("my number is "+ownPhone), "traceparent", fmt.Sprintf("00-%x-00f067aa0ba902b7-01", trace))
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	got := string(spans.await(t, trace, 1))
	for _, want := range []string{"weir.model", "weir.version", "url.path", "/v1/chat/completions", "weir/"} {
		if !strings.Contains(got, want) {
			t.Errorf("no span says %q: %q", want, got)
		}
	}
	for _, never := range []string{ownMail, ownPhone, "who="} {
		if strings.Contains(got, never) {
			t.Errorf("a span says %q: %q", never, got)
		}
	}
}
