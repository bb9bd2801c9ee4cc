package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/metrics"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// ask has a server answer one request on loopback.
func ask(s *Server, r *http.Request) *httptest.ResponseRecorder {
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 18001}
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
	answer := httptest.NewRecorder()
	s.server(s.plain, unauthenticated).Handler.ServeHTTP(answer, r)
	return answer
}

func get(s *Server, path string) *httptest.ResponseRecorder {
	return ask(s, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:18001"+path, nil))
}

func post(s *Server, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:18001"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return ask(s, r)
}

func TestPathsForMachines(t *testing.T) {
	b := newBackend(t)
	s := newServer(b)
	for _, c := range []struct {
		method, path string
		ready        error
		code         int
		body         string
	}{
		{"GET", "/healthz", nil, 200, "ok\n"},
		{"GET", "/readyz", nil, 200, "ready\n"},
		{"GET", "/readyz", errors.New("no SVID yet"), 503, "no SVID yet\n"},
		{"GET", "/healthz", errors.New("no SVID yet"), 200, "ok\n"},
		{"GET", "/metrics", nil, 200, "weir 1\n"},
		{"POST", "/healthz", nil, 405, "Method Not Allowed\n"},
		{"GET", "/", nil, 404, "404 page not found\n"},
		{"GET", "/v1/", nil, 404, "404 page not found\n"},
	} {
		b.ready = c.ready
		if got := ask(s, httptest.NewRequest(c.method, "http://localhost"+c.path, nil)); got.Code != c.code || got.Body.String() != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, got.Code, got.Body, c.code, c.body)
		}
	}
	answer := get(s, "/status")
	var got struct {
		Config struct{ Problems []map[string]any }
		Nodes  []struct {
			SPIFFEID string
			Stream   int
		}
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Config.Problems) != 1 || got.Config.Problems[0]["line"] != 12.0 || len(got.Nodes) != 2 || got.Nodes[0].SPIFFEID != envoy.String() {
		t.Errorf("status = %s", answer.Body)
	}
}

func TestJSON(t *testing.T) {
	s := newServer(newBackend(t))
	for name, path := range map[string]string{
		"nodes": "/v1/nodes", "node": "/v1/nodes?node=edge-1", "status": "/v1/status", "snapshots": "/v1/snapshots",
		"resources": "/v1/resources", "body": "/v1/resources?type=cds&name=tls@v1&body=true",
		"diff": "/v1/diff", "diff-numbers": "/v1/diff?from=1&to=3&identity=" + envoy.String(),
	} {
		t.Run(name, func(t *testing.T) {
			answer := get(s, path)
			if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "application/json" {
				t.Fatalf("%d %s", answer.Code, answer.Body)
			}
			if bytes.Contains(answer.Body.Bytes(), []byte("PRIVATE")) {
				t.Errorf("a private key is in the answer")
			}
			golden(t, name+".json", answer.Body.Bytes())
		})
	}
}

func TestJSONRefusals(t *testing.T) {
	s := newServer(newBackend(t))
	for _, c := range []struct {
		path    string
		code    int
		message string
	}{
		{"/v1/nodes?identity=me", 400, "identity"},
		{"/v1/nodes?who=me", 400, "write identity, node"},
		{"/v1/nodes?node=a&node=b", 400, "give it once"},
		{"/v1/nodes?node=%zz", 400, "parameters"},
		{"/v1/status?x=1", 400, "it takes none"},
		{"/v1/resources?type=Pod", 400, "write cluster, endpoint"},
		{"/v1/resources?pageToken=x", 400, "next_page_token"},
		{"/v1/resources?pageSize=-1", 400, "pageSize"},
		{"/v1/resources?body=perhaps", 400, "true or false"},
		{"/v1/resources?node=nobody", 404, "nobody"},
		{"/v1/diff?from=9", 404, "no such revision"},
		{"/v1/diff?to=1", 404, "before 1"},
		{"/v1/watch?interval=never", 400, "interval"},
		{"/v1/watch?interval=-1s", 400, "interval"},
	} {
		answer := get(s, c.path)
		if answer.Code != c.code || !strings.Contains(answer.Body.String(), c.message) {
			t.Errorf("%s: %d %s, want %d with %q", c.path, answer.Code, answer.Body, c.code, c.message)
		}
	}
}

func TestPages(t *testing.T) {
	s := newServer(newBackend(t))
	var all, paged []string
	collect := func(path string, into *[]string) (token string) {
		var page struct {
			Resources     []struct{ Identity, Type, Name string }
			NextPageToken string
		}
		if err := json.Unmarshal(get(s, path).Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Resources {
			*into = append(*into, r.Identity+" "+r.Type+" "+r.Name)
		}
		return page.NextPageToken
	}
	if token := collect("/v1/resources", &all); token != "" {
		t.Errorf("a page of everything says that there is more: %q", token)
	}
	token, pages := "", 0
	for {
		token = collect("/v1/resources?pageSize=2&pageToken="+token, &paged)
		pages++
		if token == "" {
			break
		}
	}
	if len(all) != 5 || strings.Join(all, "\n") != strings.Join(paged, "\n") || pages != 3 {
		t.Errorf("in one: %q\nin %d pages: %q", all, pages, paged)
	}
}

func TestRollbackAndResume(t *testing.T) {
	b := newBackend(t)
	s := newServer(b)
	for _, c := range []struct {
		path, body string
		fails      error
		code       int
		part       string
	}{
		{"/v1/rollback", `{"number": 1, "reason": "v2 is slow"}`, nil, 200, `"rollbackOf": "1"`},
		{"/v1/rollback", `{"number": 8}`, nil, 404, "no such revision"},
		{"/v1/rollback", `{}`, nil, 400, "number"},
		{"/v1/rollback", `{"number": 1, "reason": "two\nlines"}`, nil, 400, "one line"},
		{"/v1/rollback", `{"number": 1, "reason": "` + strings.Repeat("x", 513) + `"}`, nil, 400, "513 bytes"},
		{"/v1/rollback", `{"numer": 1}`, nil, 400, "numer"},
		{"/v1/rollback", `{"number": 1`, nil, 400, "the request"},
		{"/v1/rollback", strings.Repeat(" ", maxRequest+1), nil, 400, "bytes"},
		{"/v1/rollback", `{"number": 1}`, ErrRefused, 409, "FailedPrecondition"},
		{"/v1/rollback", `{"number": 1}`, errors.New("disk full"), 500, "disk full"},
		{"/v1/resume", `{}`, nil, 200, `"inForce": "5"`},
		{"/v1/resume", `{"reason": "fixed"}`, ErrRefused, 409, "cannot be done now"},
	} {
		b.fails = c.fails
		if answer := post(s, c.path, c.body); answer.Code != c.code || !strings.Contains(answer.Body.String(), c.part) {
			t.Errorf("%s %.40s: %d %s, want %d with %q", c.path, c.body, answer.Code, answer.Body, c.code, c.part)
		}
	}
	if b.asked[0] != "rollback 1 by loopback: v2 is slow" {
		t.Errorf("the backend was asked %q", b.asked)
	}
	if get(s, "/v1/rollback").Code != http.StatusMethodNotAllowed {
		t.Error("GET rolls back")
	}
}

// A page in a browser must not be able to act here.
func TestBrowsersAreKeptOut(t *testing.T) {
	b := newBackend(t)
	s := newServer(b)
	for name, c := range map[string]struct {
		change func(*http.Request)
		code   int
	}{
		"plain":          {func(*http.Request) {}, 200},
		"another origin": {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"a form":         {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 400},
		"another name":   {func(r *http.Request) { r.Host = "evil.example:18001" }, 403},
		"IPv6":           {func(r *http.Request) { r.Host = "[::1]:18001" }, 200},
		"no port":        {func(r *http.Request) { r.Host = "localhost" }, 200},
		"from elsewhere": {func(r *http.Request) {
			*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}))
		}, 403},
		"not known": {func(r *http.Request) { *r = *r.WithContext(context.Background()) }, 403},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:18001/v1/resume", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
		c.change(r)
		answer := httptest.NewRecorder()
		s.server(s.plain, unauthenticated).Handler.ServeHTTP(answer, r)
		if answer.Code != c.code {
			t.Errorf("%s: %d %s, want %d", name, answer.Code, answer.Body, c.code)
		}
	}
	if len(b.asked) != 3 {
		t.Errorf("the backend was asked %q", b.asked)
	}
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []struct{ method, target, body string }{
		{"GET", "/v1/resources?type=cds&body=true&pageSize=1&pageToken=" + cursor{envoy.String(), "type.googleapis.com/envoy.config.cluster.v3.Cluster", "a@v1"}.token(), ""},
		{"GET", "/v1/diff?from=1&to=3", ""},
		{"GET", "/v1/nodes?identity=spiffe://weir.test/envoy&node=x", ""},
		{"POST", "/v1/rollback", `{"number":"1","reason":"r"}`},
		{"POST", "/v1/resume", `{"reason":null}`},
	} {
		f.Add(seed.method == "POST", seed.target, seed.body)
	}
	f.Fuzz(func(t *testing.T, isPost bool, target, body string) {
		path, query, _ := strings.Cut(target, "?")
		if path == "/v1/watch" {
			return // lasts
		}
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1", strings.NewReader(body))
		r.URL.Path, r.URL.RawQuery = path, query
		if isPost {
			r.Method = http.MethodPost
			r.Header.Set("Content-Type", "application/json")
		}
		answer := ask(newServer(newBackend(t)), r)
		if answer.Code >= 500 {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
		if strings.HasPrefix(answer.Header().Get("Content-Type"), "application/json") && !json.Valid(answer.Body.Bytes()) {
			t.Errorf("no JSON: %s", answer.Body)
		}
		if strings.Contains(answer.Body.String(), "PRIVATE") && !strings.Contains(target+body, "PRIVATE") {
			t.Errorf("a private key is in the answer")
		}
	})
}

func TestGauges(t *testing.T) {
	got := Gauges(newBackend(t))
	want := metrics.State{
		Revision: 3, Pinned: true, Problems: 1, Held: 1, Sources: map[string]bool{"etcd": true, "folder": false},
		Resources: map[string]int{snapshot.ClusterType: 5}, Pending: 2, Draining: 3, Waiting: 1, Warming: 1, HeldBack: 1, Parked: 2, Canaries: 1,
	}
	maps.DeleteFunc(got.Resources, func(_ string, n int) bool { return n == 0 })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}
