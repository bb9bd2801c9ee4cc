package serve

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/telemetry"
)

// retryAfter is the Retry-After of answers to overload, in seconds.
const retryAfter = "1"

// writeTimeout bounds how long a client may take to read an answer, which is kept in memory until then.
const writeTimeout = time.Minute

// Failed explains the error that r failed with, logs it and sets the headers that go with it; the caller writes the body.
// What the client wrote is not logged: neither its path nor an error about its request, which may quote that.
func (h *House) Failed(w http.ResponseWriter, r *http.Request, err error) Meaning {
	m := Explain(err)
	level, about := slog.LevelDebug, []any{"path", r.Pattern, "status", m.Status, "reason", m.Reason}
	if m.Reason == telemetry.Backend {
		level, about = slog.LevelWarn, append(about, "error", withoutNumbers(err.Error()))
	}
	h.Log.Log(r.Context(), level, "request failed", about...)
	if m.Again {
		w.Header().Set("Retry-After", retryAfter)
	}
	return m
}

// longNumber is more digits than any shape or index of a tensor has.
var longNumber = regexp.MustCompile(`[0-9]{7,}`)

// withoutNumbers is what a model's runtime says without the numbers of a request, which it may quote.
func withoutNumbers(text string) string { return longNumber.ReplaceAllString(text, "#") }

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error is the client's leaving: there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}

// Write answers 200 with the parts, one after the other.
func Write(w http.ResponseWriter, contentType string, parts ...[]byte) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(size))
	// Not every ResponseWriter has deadlines; those of net/http do.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return // the client has left: there is nobody to tell
		}
	}
}
