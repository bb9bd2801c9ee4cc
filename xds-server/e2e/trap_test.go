package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
)

// TestTrapDrill makes the filter trap while requests are under way. Only the
// streams of the worker whose VM it was end, each with a clean 503; what comes
// next meets a new VM.
func TestTrapDrill(t *testing.T) {
	module := artefact.Built(t, "filter-trapdrill.wasm")
	s := boot(t, change{"gateway.yaml", "", "  filter:\n    module: {file: \"" + module + "\"}\n"})
	for round := range 3 {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) { trapOnce(t, s) })
	}
	s.serves(t)
}

const (
	openStreams = 24 // enough for both workers of Envoy to have some

	// everyWorker requests in a row, each on a connection of its own, meet both
	// workers: Envoy spreads connections by chance. With a few, the row is tried so
	// often while one worker is down that it succeeds on the other alone.
	everyWorker = 40
)

func trapOnce(t *testing.T, s *stack) {
	streams := make([]*stream, openStreams)
	for i := range streams {
		streams[i] = s.open(t, `{"model":"load","messages":[{"role":"user","content":"held `)
	}
	trapped := time.Now()
	if err := refused(s.raw(t, rawPost("/v1/chat/completions", chat("x"), "x-weir-trap", "now")), http.StatusServiceUnavailable, "wasm_fail_stream"); err != nil {
		t.Errorf("the request that trapped: %v", err)
	}
	eventually(t, 30*time.Second, func() error {
		for range everyWorker {
			if a := s.post(t, "/v1/chat/completions", chat("again"), "x-tenant-id", fmt.Sprint("trap-", time.Now().UnixNano())); a.status != http.StatusOK {
				return fmt.Errorf("answered %d: %s", a.status, clip(a.body))
			}
		}
		return nil
	})
	t.Logf("both workers served %v after the trap", time.Since(trapped).Round(time.Millisecond))
	cut, served := 0, 0
	for _, stream := range streams {
		a := stream.finish(t, `on"}]}`)
		switch err := refused(a, http.StatusServiceUnavailable, "wasm_fail_stream"); {
		case err == nil:
			cut++
		case a.status == http.StatusOK && strings.Contains(string(a.body), "held on"):
			served++
		default:
			t.Errorf("a stream that was open ended with neither an answer nor a clean refusal: %v", err)
		}
	}
	t.Logf("of %d open streams %d were cut and %d served", openStreams, cut, served)
	if cut == 0 || served == 0 {
		t.Errorf("of %d open streams %d were cut and %d served: one of two workers was to lose its own", openStreams, cut, served)
	}
}

// stream is a request whose body is under way.
type stream struct{ conn net.Conn }

// open sends the headers and the first part of a body.
func (s *stack) open(t *testing.T, part string) *stream {
	t.Helper()
	conn, err := net.DialTimeout("tcp", loopback(s.gateway), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // closed already where the test went well
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	head := "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
	if _, err := fmt.Fprintf(conn, "%s%x\r\n%s\r\n", head, len(part), part); err != nil {
		t.Fatal(err)
	}
	return &stream{conn}
}

// finish sends the rest of the body and reads the answer, which may have come
// before.
func (s *stream) finish(t *testing.T, part string) answer {
	t.Helper()
	// A gateway that has answered may have closed: then sending fails, and the answer is there.
	_, sendErr := fmt.Fprintf(s.conn, "%x\r\n%s\r\n0\r\n\r\n", len(part), part)
	resp, err := http.ReadResponse(bufio.NewReader(s.conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v (sending: %v)", err, sendErr)
	}
	a, err := readAnswer(resp)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
