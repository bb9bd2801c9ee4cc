package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answer is what came back for a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// plain sends one request per connection, so that no test sees another's.
var plain = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}

func send(req *http.Request) (answer, error) {
	resp, err := plain.Do(req)
	if err != nil {
		return answer{}, err
	}
	return readAnswer(resp)
}

func readAnswer(resp *http.Response) (answer, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, body}, err
}

// post sends a body to the gateway with headers given as name, value, ...
func (s *stack) post(t *testing.T, path, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	a, err := send(req)
	if err != nil {
		t.Fatalf("POST %s: %v", path, err)
	}
	return a
}

// raw writes bytes to the gateway on a connection of their own and reads one
// answer.
func (s *stack) raw(t *testing.T, request []byte) answer {
	t.Helper()
	conn, err := net.DialTimeout("tcp", loopback(s.gateway), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The gateway may answer, and close, before it has read all: the answer counts.
	_, writeErr := io.Copy(conn, bytes.NewReader(request))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v (sending: %v)", err, writeErr)
	}
	a, err := readAnswer(resp)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// openAIError is the one shape of all refusals.
type openAIError struct {
	Error *struct {
		Message string
		Type    string
		Param   *string
		Code    *string
	}
}

// refused checks that an answer is an OpenAI error with this status and code.
func refused(a answer, status int, code string) error {
	if a.status != status {
		return fmt.Errorf("status %d, want %d: %s", a.status, status, clip(a.body))
	}
	if got := a.header.Get("content-type"); got != "application/json" {
		return fmt.Errorf("content-type %q, want application/json: %s", got, clip(a.body))
	}
	var e openAIError
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil || e.Error == nil {
		return fmt.Errorf("%w: the body is not an OpenAI error: %s", err, clip(a.body))
	}
	if e.Error.Message == "" || strings.HasSuffix(e.Error.Message, ": ") || e.Error.Type == "" || e.Error.Code == nil || *e.Error.Code == "" {
		return fmt.Errorf("the error lacks its message, type or code: %s", clip(a.body))
	}
	if code != "" && *e.Error.Code != code {
		return fmt.Errorf("code %q, want %q: %s", *e.Error.Code, code, clip(a.body))
	}
	return nil
}

func clip(b []byte) string {
	if len(b) > 300 {
		return string(b[:300]) + "..."
	}
	return string(b)
}
