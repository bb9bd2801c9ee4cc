// Package serve is what both APIs have in common: finding the model, reading the body, being admitted, running, counting,
// and what each error means to a client. The APIs give errors their own shape.
package serve

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/body"
	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/sched"
	"github.com/weirmesh/weir/inference-sidecar/internal/telemetry"
)

// The headers that the gateway sets. It removes what clients send of them.
const (
	// ModelHeader names the model as it is called here, where the client may have used an alias.
	ModelHeader = "X-Weir-Model"
	// VersionHeader names the version that the gateway chose.
	VersionHeader = "X-Weir-Version"
)

// StatusClientGone is the status, seen in logs only, of a request whose client has left.
const StatusClientGone = 499

// House is what requests are served with.
type House struct {
	Models *registry.Current
	Gate   *sched.Gate
	Room   *body.Room
	Log    *slog.Logger
	// Now tells the time, for measuring.
	Now func() time.Time
}

// Find returns the version that r is for. The gateway's name of the model stands above the client's; a version in the
// path stands above the gateway's, which stands above the model's default.
func (h *House) Find(r *http.Request, model, version string) (*registry.Version, error) {
	models, err := h.Models.Get()
	if err != nil {
		return nil, err
	}
	if name := r.Header.Get(ModelHeader); name != "" {
		model = name
	}
	if version == "" {
		version = r.Header.Get(VersionHeader)
	}
	return models.Find(model, version)
}

// Call is one admitted request for one version of a model.
type Call struct {
	house   *House
	version *registry.Version
	begun   time.Time
	end     func(time.Duration, telemetry.Reason)
	leave   func()
}

// Admit lets a request in. The caller calls End, once.
func (h *House) Admit(v *registry.Version) (*Call, error) {
	leave, err := h.Gate.Admit()
	if err != nil {
		v.Metrics.Refused()
		return nil, err
	}
	return &Call{house: h, version: v, begun: h.Now(), end: v.Metrics.Begin(), leave: leave}, nil
}

// Run waits for a slot and calls run in it. n is the number of inferences in the run.
func (c *Call) Run(ctx context.Context, n int, run func() error) error {
	asked := c.house.Now()
	release, err := c.house.Gate.Slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	begun := c.house.Now()
	err = run()
	c.version.Metrics.Ran(n, begun.Sub(asked), c.house.Now().Sub(begun))
	return err
}

// End counts the request and lets the next one in. err is what the request failed with, or nil.
func (c *Call) End(err error) {
	c.end(c.house.Now().Sub(c.begun), Explain(err).Reason)
	c.leave()
}

// Meaning is what an error means to a client and to the metrics.
type Meaning struct {
	// Status is the HTTP status.
	Status int
	// Again says that the client may try the same again after a second.
	Again bool
	// Reason is empty for no error.
	Reason telemetry.Reason
}

type requestError struct{ err error }

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

// BadRequest marks err as the client's fault.
func BadRequest(err error) error { return &requestError{err} }

// Explain returns the Meaning of an error that a request failed with.
func Explain(err error) Meaning {
	var large *body.TooLargeError
	var bad *requestError
	switch {
	case err == nil:
		return Meaning{Status: http.StatusOK}
	case errors.As(err, &large):
		return Meaning{Status: http.StatusRequestEntityTooLarge, Reason: telemetry.Other}
	case errors.Is(err, ErrEncoded):
		return Meaning{Status: http.StatusUnsupportedMediaType, Reason: telemetry.Other}
	case errors.Is(err, sched.ErrOverloaded), errors.Is(err, body.ErrBusy):
		return Meaning{Status: http.StatusTooManyRequests, Again: true, Reason: telemetry.Rejected}
	case errors.Is(err, runtime.ErrMemory):
		return Meaning{Status: http.StatusTooManyRequests, Again: true, Reason: telemetry.Backend}
	case errors.Is(err, registry.ErrUnknownModel), errors.Is(err, registry.ErrUnknownVersion):
		return Meaning{Status: http.StatusNotFound, Reason: telemetry.Other}
	case errors.Is(err, registry.ErrNotReady), errors.Is(err, runtime.ErrClosed):
		return Meaning{Status: http.StatusServiceUnavailable, Again: true, Reason: telemetry.Other}
	case errors.Is(err, runtime.ErrInput), errors.As(err, &bad):
		return Meaning{Status: http.StatusBadRequest, Reason: telemetry.Other}
	case errors.Is(err, context.DeadlineExceeded):
		return Meaning{Status: http.StatusGatewayTimeout, Reason: telemetry.Canceled}
	case errors.Is(err, context.Canceled):
		return Meaning{Status: StatusClientGone, Reason: telemetry.Canceled}
	}
	return Meaning{Status: http.StatusInternalServerError, Reason: telemetry.Backend}
}
