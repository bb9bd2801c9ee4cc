package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 8 << 20

// client talks to the gateway as any OpenAI client does.
type client struct {
	base string
	http *http.Client
}

func newClient(base string) *client {
	transport := &http.Transport{MaxIdleConnsPerHost: parallel}
	return &client{base: base, http: &http.Client{Timeout: time.Minute, Transport: transport}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// post sends v as JSON with headers given as name, value, name, value, ...
func (c *client) post(ctx context.Context, path string, v any, headers ...string) (answer, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return answer{}, fmt.Errorf("encode the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("content-type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("send the request: %w", err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return answer{resp.StatusCode, resp.Header, got}, nil
}

// into decodes the body of an answer that has the status.
func (a answer) into(status int, v any) error {
	if a.status != status {
		return fmt.Errorf("answered %d, not %d: %s", a.status, status, bytes.TrimSpace(a.body))
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("read the answer %q: %w", a.body, err)
	}
	return nil
}

// version is the model version that served the request.
func (a answer) version() string { return a.header.Get("x-weir-version") }

// embeddings is an answer of /v1/embeddings.
type embeddings struct {
	Data []struct {
		Embedding []float64 `json:"embedding"`
	} `json:"data"`
	Usage struct {
		Prompt int `json:"prompt_tokens"`
	} `json:"usage"`
}

// embed asks for the embeddings of texts.
func (c *client) embed(ctx context.Context, texts []string, headers ...string) (embeddings, answer, error) {
	var e embeddings
	request := map[string]any{"model": embedder, "input": texts}
	a, err := c.post(ctx, "/v1/embeddings", request, headers...)
	if err != nil {
		return e, a, err
	}
	if err := a.into(http.StatusOK, &e); err != nil {
		return e, a, err
	}
	if len(e.Data) != len(texts) {
		return e, a, fmt.Errorf("%d embeddings came back for %d texts", len(e.Data), len(texts))
	}
	return e, a, nil
}

// chat asks the echo model.
func (c *client) chat(ctx context.Context, text string, maxTokens int, headers ...string) (answer, error) {
	return c.post(ctx, "/v1/chat/completions", map[string]any{
		"model": echoing, "max_tokens": maxTokens,
		"messages": []map[string]string{{"role": "user", "content": text}},
	}, headers...)
}
