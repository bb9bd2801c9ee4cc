package serve_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/body"
	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/sched"
	"github.com/weirmesh/weir/inference-sidecar/internal/serve"
	"github.com/weirmesh/weir/inference-sidecar/internal/telemetry"
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want serve.Meaning
	}{
		{nil, serve.Meaning{Status: http.StatusOK}},
		{&body.TooLargeError{Limit: 1}, serve.Meaning{Status: 413, Reason: telemetry.Other}},
		{serve.ErrEncoded, serve.Meaning{Status: 415, Reason: telemetry.Other}},
		{sched.ErrOverloaded, serve.Meaning{Status: 429, Again: true, Reason: telemetry.Rejected}},
		{body.ErrBusy, serve.Meaning{Status: 429, Again: true, Reason: telemetry.Rejected}},
		{runtime.ErrMemory, serve.Meaning{Status: 429, Again: true, Reason: telemetry.Backend}},
		{registry.ErrUnknownModel, serve.Meaning{Status: 404, Reason: telemetry.Other}},
		{registry.ErrUnknownVersion, serve.Meaning{Status: 404, Reason: telemetry.Other}},
		{registry.ErrNotReady, serve.Meaning{Status: 503, Again: true, Reason: telemetry.Other}},
		{runtime.ErrClosed, serve.Meaning{Status: 503, Again: true, Reason: telemetry.Other}},
		{runtime.InputErrorf("bad"), serve.Meaning{Status: 400, Reason: telemetry.Other}},
		{serve.BadRequest(errors.New("bad")), serve.Meaning{Status: 400, Reason: telemetry.Other}},
		{context.DeadlineExceeded, serve.Meaning{Status: 504, Reason: telemetry.Canceled}},
		{context.Canceled, serve.Meaning{Status: serve.StatusClientGone, Reason: telemetry.Canceled}},
		{errors.New("broken"), serve.Meaning{Status: 500, Reason: telemetry.Backend}},
	} {
		err := c.err
		for range 2 {
			if got := serve.Explain(err); got != c.want {
				t.Errorf("%v: got %+v, want %+v", err, got, c.want)
			}
			if err != nil {
				err = fmt.Errorf("wrapped: %w", err)
			}
		}
	}
}

// withDeadline is a ResponseWriter as net/http's are.
type withDeadline struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (w *withDeadline) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return nil
}

func TestWriteBoundsSlowReaders(t *testing.T) {
	w := &withDeadline{ResponseRecorder: httptest.NewRecorder()}
	serve.Write(w, "text/plain", []byte("a"), nil, []byte("bc"))
	if left := time.Until(w.deadline); left <= 0 || left > time.Minute {
		t.Errorf("the deadline is in %s", left)
	}
	if w.Body.String() != "abc" || w.Header().Get("Content-Length") != "3" || w.Header().Get("Content-Type") != "text/plain" {
		t.Errorf("wrote %q, headers %v", w.Body, w.Header())
	}
}
