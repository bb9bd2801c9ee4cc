package e2e

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// refusing is a policy of a model for every kind of refusal.
const refusing = `{"limits":[` +
	`{"key":["header:x-team"],"missing":"refuse","mode":"requests","models":["keyed"],"name":"keyed","onFailure":"closed","requests":{"capacity":9,"refillMilli":1}},` +
	`{"mode":"requests","models":["quota"],"name":"quota","onFailure":"closed","requests":{"capacity":1,"refillMilli":0,"window":86400}},` +
	`{"mode":"requests","models":["requests"],"name":"requests","onFailure":"closed","requests":{"capacity":1,"refillMilli":1000}},` +
	`{"inFlight":{"capacity":1,"lease":60},"mode":"inFlight","models":["slow"],"name":"slow","onFailure":"closed"},` +
	`{"mode":"tokens","models":["tokens"],"name":"tokens","onFailure":"closed","tokens":{"capacity":100,"defaultOutput":90,"refillMilli":100000}}],` +
	`"models":[{"name":"keyed"},{"name":"quota"},{"name":"requests"},{"name":"slow"},{"name":"tokens"}],` +
	`"settings":{"holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":true,"workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`

// TestClientsBackOff has OpenAI's client for Go meet every kind of refusal: it waits as
// long as it is told and then succeeds, and it does not try again where that is no use.
func TestClientsBackOff(t *testing.T) {
	arrived, refusals := make(chan struct{}, 1), make(chan struct{}, 1)
	told := func() {
		select {
		case refusals <- struct{}{}:
		default: // there is one
		}
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("x-slow") != "" {
			arrived <- struct{}{}
			select { // it works until another was refused
			case <-refusals:
			case <-r.Context().Done():
			}
		}
		w.Header().Set("content-type", "application/json")
		_, _ = w.Write([]byte(`{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":90}}`)) // a client that has gone needs no answer
	}))
	t.Cleanup(upstream.Close)
	e, err := staticenvoy.Start(t.Context(), staticenvoy.Config{
		Binary: artefact.Envoy(t), Dir: t.TempDir(), Upstream: strings.TrimPrefix(upstream.URL, "http://"), Log: t.Output(),
		Filter: staticenvoy.Wasm(artefact.Built(t, "filter.wasm"), refusing),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	var tries atomic.Int64
	client := openai.NewClient(option.WithBaseURL("http://"+e.Address()+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(2),
		option.WithMiddleware(func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
			tries.Add(1)
			resp, err := next(r)
			if err == nil && resp.StatusCode == http.StatusTooManyRequests {
				told()
			}
			return resp, err
		}))
	ask := func(model string, more ...option.RequestOption) error {
		tries.Store(0)
		_, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: model}, more...)
		return err
	}
	for _, c := range []struct {
		model, code, kind string
		status            int
		first             bool          // the first request is refused already
		succeeds          bool          // in the end
		wait              time.Duration // from before the first request: what fills up meanwhile need not be waited for
	}{
		{model: "tokens", succeeds: true, wait: 800 * time.Millisecond},
		{model: "requests", succeeds: true, wait: 900 * time.Millisecond},
		{model: "quota", status: 429, code: "insufficient_quota", kind: "insufficient_quota"},
		{model: "keyed", first: true, status: 401, code: "missing_key", kind: "invalid_request_error"},
		{model: "nobody", first: true, status: 404, code: "model_not_found", kind: "invalid_request_error"},
	} {
		t.Run(c.model, func(t *testing.T) {
			began := time.Now()
			if !c.first {
				if err := ask(c.model); err != nil || tries.Load() != 1 {
					t.Fatalf("the first request: %v, %d tries", err, tries.Load())
				}
			}
			err := ask(c.model)
			took := time.Since(began)
			if c.succeeds {
				if err != nil || tries.Load() < 2 || took < c.wait || took > 20*time.Second {
					t.Errorf("%v after %d tries and %s", err, tries.Load(), took)
				}
				return
			}
			var refused *openai.Error
			if !errors.As(err, &refused) {
				t.Fatalf("%v", err)
			}
			if refused.StatusCode != c.status || refused.Code != c.code || refused.Type != c.kind || tries.Load() != 1 {
				t.Errorf("%d %s %s after %d tries", refused.StatusCode, refused.Code, refused.Type, tries.Load())
			}
		})
	}
	t.Run("in flight", func(t *testing.T) {
		select {
		case <-refusals: // of a case before
		default:
		}
		running := make(chan error, 1)
		go func() {
			_, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "slow"}, option.WithHeader("x-slow", "1"))
			running <- err
		}()
		<-arrived
		if err := ask("slow"); err != nil || tries.Load() < 2 {
			t.Errorf("beside another: %v after %d tries", err, tries.Load())
		}
		told() // if nothing was refused, the other must end all the same
		if err := <-running; err != nil {
			t.Error(err)
		}
	})
	t.Run("never", func(t *testing.T) {
		tries.Store(0)
		_, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "tokens", MaxTokens: openai.Int(1000)})
		if err == nil || tries.Load() != 1 {
			t.Errorf("dearer than the budget: %v after %d tries", err, tries.Load())
		}
	})
}
