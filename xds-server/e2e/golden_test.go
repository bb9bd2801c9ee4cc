package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// upstreamMark tells upstream's answers from Envoy's own.
const upstreamMark = "x-upstream"

// TestGoldenVectors sends the requests that every host of the policy engine must
// treat alike through the shipped module in a real Envoy, over both protocols,
// whole and byte by byte.
func TestGoldenVectors(t *testing.T) {
	upstream := newRecorder(t)
	g := &golden{t: t, module: artefact.Built(t, "filter.wasm"), upstream: upstream}
	g.start(artefact.Envoy(t))
	vectors := policytest.Vectors()
	if len(vectors) == 0 {
		t.Fatal("there are no vectors")
	}
	slices.SortStableFunc(vectors, func(a, b policytest.Vector) int { return strings.Compare(a.Policy, b.Policy) })
	skipped := 0
	for _, v := range vectors {
		if reason := cannotArrange(&v); reason != "" {
			skipped++
			continue
		}
		for _, c := range conveyances {
			g.arrange(t, &v)
			t.Run(v.Name+"/"+c.name, func(t *testing.T) { g.check(t, &v, c) })
		}
	}
	t.Logf("%d vectors, of which %d need a clock, a peer, a store or trailers that only the other hosts can arrange", len(vectors), skipped)
}

// cannotArrange says what a vector needs that Envoy on this machine has not.
// The native and the wasm host run these.
func cannotArrange(v *policytest.Vector) string {
	switch {
	case v.Now != 0:
		return "a clock that stands still"
	case v.Peer != "":
		return "a peer with an SVID"
	case v.Answer != nil && v.Answer.Trailers != nil:
		return "an upstream that sends trailers"
	case len(v.Properties) > 0:
		return "properties of the stream"
	case v.StoreFails:
		return "shared data that fails"
	}
	return ""
}

// conveyance is a way to bring a request to Envoy.
type conveyance struct {
	name string
	send func(ctx context.Context, address string, v *policytest.Vector, piece func(sent int) int) (answer, error)
	size func(sent int) int
}

var conveyances = []conveyance{
	{"h1", sendHTTP1, whole},
	{"h1-bytes", sendHTTP1, bytewise},
	{"h2", sendHTTP2, whole},
	{"h2-bytes", sendHTTP2, bytewise},
}

func whole(int) int { return 1 << 30 }

// bytewise sends the first 4 KiB in single bytes, which covers every state that
// a scanner can be cut in, and what follows in odd pieces.
func bytewise(sent int) int {
	if sent < 4<<10 {
		return 1
	}
	return 1021
}

// golden is an Envoy whose policy changes from vector to vector.
type golden struct {
	t        *testing.T
	envoy    *staticenvoy.Envoy
	module   string
	upstream *recorder
	policy   string // the one in force
	updates  int64
}

func (g *golden) start(binary string) {
	g.t.Helper()
	first := policytest.Policies()[0]
	e, err := staticenvoy.Start(g.t.Context(), staticenvoy.Config{
		Binary: binary, Dir: g.t.TempDir(), Upstream: g.upstream.address, Log: g.t.Output(),
		Filter: staticenvoy.WasmIn("start", g.module, string(policytest.Policy(first))),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(e.Stop)
	g.envoy = e
}

// arrange puts the vector's policy in force. One with budgets gets a virtual
// machine of its own each time, so that its buckets are full.
func (g *golden) arrange(t *testing.T, v *policytest.Vector) {
	t.Helper()
	document := v.Document()
	if g.policy == v.Policy && !bytes.Contains(document, []byte(`"limits"`)) {
		return
	}
	g.updates++
	filter := staticenvoy.WasmIn(fmt.Sprint("vm-", g.updates), g.module, string(document))
	before := g.reloads(t)
	if err := g.envoy.Update(filter, string(document)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() error {
		if now := g.reloads(t); now <= before {
			return fmt.Errorf("envoy has not taken policy %s: %d reloads", v.Policy, now)
		}
		return nil
	})
	g.policy = v.Policy
}

func (g *golden) reloads(t *testing.T) int64 {
	t.Helper()
	n, err := g.envoy.Counter(t.Context(), "extension_config_discovery.http_filter.weir-filter.config_reload")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (g *golden) check(t *testing.T, v *policytest.Vector, c conveyance) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var got answer
	g.upstream.answer.Store(v.Answer)
	for range v.Before + 1 {
		g.upstream.forget()
		var err error
		if got, err = c.send(ctx, g.envoy.Address(), v, c.size); err != nil {
			t.Fatal(err)
		}
	}
	for _, problem := range v.Check(g.outcome(got)) {
		t.Error(problem)
	}
}

// outcome is what upstream got, or the answer that came instead.
func (g *golden) outcome(a answer) *policytest.Outcome {
	if code, err := strconv.Atoi(a.header.Get("grpc-status")); err == nil {
		message, _ := url.PathUnescape(a.header.Get("grpc-message"))
		return &policytest.Outcome{Status: a.status, Headers: pairs(a.header), Body: []byte(message), GRPC: code}
	}
	if a.header.Get(upstreamMark) == "" {
		return &policytest.Outcome{Status: a.status, Headers: pairs(a.header), Body: a.body}
	}
	headers, body := g.upstream.last()
	a.header.Del(upstreamMark)
	return &policytest.Outcome{Headers: headers, Body: body, Response: pairs(a.header), Answer: a.body}
}

func pairs(h http.Header) (all [][2]string) {
	for name, values := range h {
		for _, v := range values {
			all = append(all, [2]string{strings.ToLower(name), v})
		}
	}
	return all
}

// sendHTTP1 writes the request itself, so that the pieces are what it says.
func sendHTTP1(ctx context.Context, address string, v *policytest.Vector, piece func(int) int) (answer, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return answer{}, err
		}
	}
	sent := make(chan error, 1)
	go func() { sent <- writeHTTP1(conn, v, piece) }()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	a, err := readAnswer(resp)
	_ = conn.Close() // an answer may come, and end, before all was sent
	<-sent
	return a, err
}

func writeHTTP1(w io.Writer, v *policytest.Vector, piece func(int) int) error {
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nhost: localhost\r\n", v.Request.Method, v.Request.Path)
	for _, h := range v.Request.Headers {
		fmt.Fprintf(&head, "%s: %s\r\n", h[0], h[1])
	}
	body := v.Body()
	switch {
	case v.Request.Chunked:
		head.WriteString("transfer-encoding: chunked\r\n")
	case len(body) > 0:
		fmt.Fprintf(&head, "content-length: %d\r\n", len(body))
	}
	head.WriteString("\r\n")
	if _, err := w.Write(head.Bytes()); err != nil {
		return err
	}
	for sent := 0; sent < len(body); {
		part := body[sent:min(sent+piece(sent), len(body))]
		sent += len(part)
		if v.Request.Chunked {
			part = fmt.Appendf(nil, "%x\r\n%s\r\n", len(part), part)
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	if v.Request.Chunked {
		_, err := io.WriteString(w, "0\r\n\r\n")
		return err
	}
	return nil
}

// http2Only speaks HTTP/2 with prior knowledge, one connection per request.
var http2Only = func() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols, DisableCompression: true}}
}()

func sendHTTP2(ctx context.Context, address string, v *policytest.Vector, piece func(int) int) (answer, error) {
	u, err := url.Parse("http://" + address + v.Request.Path)
	if err != nil {
		return answer{}, err
	}
	req := (&http.Request{Method: v.Request.Method, URL: u, Host: "localhost", Header: http.Header{"User-Agent": nil}}).WithContext(ctx)
	for _, h := range v.Request.Headers {
		req.Header.Add(h[0], h[1])
	}
	if body := v.Body(); len(body) > 0 {
		// Each Read becomes one DATA frame.
		req.Body = io.NopCloser(&pieces{rest: body, size: piece})
		req.ContentLength = int64(len(body))
		if v.Request.Chunked {
			req.ContentLength = -1
		}
	}
	resp, err := http2Only.Do(req)
	if err != nil {
		return answer{}, err
	}
	if resp.ProtoMajor != 2 {
		return answer{}, fmt.Errorf("the answer came over %s", resp.Proto)
	}
	return readAnswer(resp)
}

// pieces reads out a body in pieces.
type pieces struct {
	rest []byte
	sent int
	size func(sent int) int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.size(p.sent), len(p.rest))])
	p.rest, p.sent = p.rest[n:], p.sent+n
	return n, nil
}

// recorder is an upstream that keeps the last request.
type recorder struct {
	address string
	seen    chan request // the last request; nothing when none came
	answer  atomic.Pointer[policytest.Answer]
}

type request struct {
	headers [][2]string
	body    []byte
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{seen: make(chan request, 1)}
	server := httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(server.Close)
	r.address = strings.TrimPrefix(server.URL, "http://")
	return r
}

func (r *recorder) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // Envoy cut the request; there is nobody to answer
	}
	headers := append(pairs(req.Header), [2]string{":method", req.Method}, [2]string{":path", req.RequestURI})
	if req.ContentLength >= 0 && len(req.TransferEncoding) == 0 && len(body) > 0 {
		headers = append(headers, [2]string{"content-length", strconv.FormatInt(req.ContentLength, 10)})
	}
	r.forget()
	r.seen <- request{headers, body}
	w.Header().Set(upstreamMark, "yes")
	a := r.answer.Load()
	if a == nil {
		a = &policytest.Answer{Status: http.StatusOK, Body: "ok"}
	}
	for _, h := range a.Headers {
		w.Header().Set(h[0], h[1])
	}
	w.WriteHeader(a.Status)
	// Envoy may have cut the request.
	for i, piece := range strings.SplitAfter(string(a.Bytes()), "o") {
		_, _ = io.WriteString(w, piece)
		if i < 20 {
			w.(http.Flusher).Flush()
		}
	}
}

func (r *recorder) forget() {
	select {
	case <-r.seen:
	default:
	}
}

func (r *recorder) last() ([][2]string, []byte) {
	got := <-r.seen
	return got.headers, got.body
}
