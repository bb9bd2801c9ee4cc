package wasmhost

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// envoy is a running Envoy with the filter and an upstream behind it.
type envoy struct {
	address string // of the listener
	process *os.Process
	exited  chan struct{}
	logMu   sync.Mutex
	log     bytes.Buffer
	seen    chan string // lines that tell of progress
}

// startEnvoy starts Envoy and waits until it listens.
func startEnvoy(t *testing.T) *envoy {
	t.Helper()
	binary := artefact(t, "WEIR_TOOLS", "bin/envoy")
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return // the client went away
		}
		fmt.Fprint(w, n)
	}))
	t.Cleanup(upstream.Close)
	e := &envoy{address: freeAddress(t), exited: make(chan struct{}), seen: make(chan string, 64)}
	config := filepath.Join(t.TempDir(), "envoy.json")
	if err := os.WriteFile(config, envoyConfig(t, e.address, upstream.Listener.Addr().String()), 0o600); err != nil {
		t.Fatal(err)
	}
	e.run(t, exec.Command(binary, "-c", config, "--concurrency", "1", "--use-dynamic-base-id",
		"--component-log-level", "wasm:trace,main:info"))
	e.await(t, "starting main dispatch loop")
	return e
}

// run starts Envoy on a thread that lives as long as Envoy does: Envoy asks the
// kernel for SIGTERM when the thread that started it exits.
func (e *envoy) run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(e.exited)
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		e.collect(stderr)
		_ = cmd.Wait() // it is ended by a signal
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	e.process = cmd.Process
	t.Cleanup(func() { e.stop() })
}

func (e *envoy) collect(r io.Reader) {
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadString('\n')
		e.logMu.Lock()
		e.log.WriteString(line)
		e.logMu.Unlock()
		if strings.Contains(line, "main dispatch loop") || strings.Contains(line, "[host<-vm] proxy_on_delete") {
			e.seen <- line
		}
		if err != nil {
			close(e.seen)
			return
		}
	}
}

// await waits for a line of the log.
func (e *envoy) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-e.seen:
			if !ok {
				t.Fatalf("Envoy exited:\n%s", e.text())
			}
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("Envoy did not log %q within 30 s:\n%s", text, e.text())
		}
	}
}

func (e *envoy) text() string {
	e.logMu.Lock()
	defer e.logMu.Unlock()
	return e.log.String()
}

// stop ends Envoy and returns its log.
func (e *envoy) stop() string {
	_ = e.process.Signal(syscall.SIGTERM) // it may have exited
	<-e.exited
	return e.text()
}

// send sends a scenario's request and waits until Envoy has forgotten it.
func (e *envoy) send(t *testing.T, sc scenario) {
	t.Helper()
	if sc.abort {
		e.sendHalf(t, sc)
	} else {
		e.sendWhole(t, sc)
	}
	e.await(t, "proxy_on_delete")
}

func (e *envoy) sendWhole(t *testing.T, sc scenario) {
	t.Helper()
	transport := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!sc.http2)
	transport.Protocols.SetUnencryptedHTTP2(sc.http2)
	defer transport.CloseIdleConnections()
	method := sc.method
	if method == "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(context.Background(), method, "http://"+e.address+sc.target(), sc.reader())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range sc.fields() {
		request.Header.Set(h.Name, h.Value)
	}
	if sc.trailers != nil {
		request.Trailer = http.Header{}
		for _, h := range sc.trailers {
			request.Trailer.Set(h.Name, h.Value)
		}
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatalf("%s: %v", sc.name, err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", sc.name, err)
	}
	_ = response.Body.Close()
	t.Logf("%s: %d %.200s", sc.name, response.StatusCode, body)
}

// reader is the body: of known length, or in pieces of unknown length.
func (sc scenario) reader() io.Reader {
	switch {
	case sc.body == "":
		return nil
	case !sc.chunked:
		return strings.NewReader(sc.body)
	}
	third := len(sc.body) / 3
	return io.MultiReader(strings.NewReader(sc.body[:third]), strings.NewReader(sc.body[third:2*third]), strings.NewReader(sc.body[2*third:]))
}

// sendHalf sends half of the body and goes away.
func (e *envoy) sendHalf(t *testing.T, sc scenario) {
	t.Helper()
	conn, err := net.Dial("tcp", e.address)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nhost: weir.test\r\ncontent-length: %d\r\n", sc.target(), len(sc.body))
	for _, h := range sc.fields() {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	b.WriteString("\r\n" + sc.body[:len(sc.body)/2])
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
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

// envoyConfig is a listener with the filter and one route.
func envoyConfig(t *testing.T, listen, upstream string) []byte {
	t.Helper()
	type m = map[string]any
	type list = []any
	address := func(hostPort string) m {
		host, port, err := net.SplitHostPort(hostPort)
		if err != nil {
			t.Fatal(err)
		}
		return m{"socket_address": m{"address": host, "port_value": json.Number(port)}}
	}
	const types = "type.googleapis.com/envoy.extensions.filters."
	filter := m{"name": "weir", "typed_config": m{"@type": types + "http.wasm.v3.Wasm", "config": m{
		"name": "weir", "allow_on_headers_stop_iteration": true,
		"vm_config": m{"vm_id": "weir", "runtime": "envoy.wasm.runtime.v8",
			"code": m{"local": m{"filename": artefact(t, "WEIR_BUILD", "filter.wasm")}}},
		"configuration": m{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": string(policy(t))},
	}}}
	manager := m{"name": "http", "typed_config": m{
		"@type":       types + "network.http_connection_manager.v3.HttpConnectionManager",
		"stat_prefix": "http", "generate_request_id": false,
		"route_config": m{"virtual_hosts": list{m{"name": "all", "domains": list{"*"},
			"routes": list{m{"match": m{"prefix": "/"}, "route": m{"cluster": "upstream"}}}}}},
		"http_filters": list{filter, m{"name": "router", "typed_config": m{"@type": types + "http.router.v3.Router"}}},
	}}
	b, err := json.Marshal(m{"static_resources": m{
		"listeners": list{m{"name": "http", "address": address(listen), "filter_chains": list{m{"filters": list{manager}}}}},
		"clusters": list{m{"name": "upstream", "type": "STATIC", "load_assignment": m{"cluster_name": "upstream",
			"endpoints": list{m{"lb_endpoints": list{m{"endpoint": m{"address": address(upstream)}}}}}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
