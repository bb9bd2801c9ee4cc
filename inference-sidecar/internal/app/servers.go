package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
)

// The bounds on slow clients. A body of 64 MiB over a local network takes a second.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	idleTimeout       = 5 * time.Minute
	maxHeaderBytes    = 128 << 10
)

// servers are the HTTP servers of the program and the requests that they serve.
type servers struct {
	listeners listeners
	security  *tls.Config
	api       *http.Server
	metrics   *http.Server
	abort     context.CancelFunc
	serving   sync.WaitGroup
	log       *slog.Logger
}

func newServers(l listeners, security *tls.Config, api, metrics http.Handler, log *slog.Logger) *servers {
	s := &servers{listeners: l, security: security, log: log}
	ctx, abort := context.WithCancel(context.Background())
	s.abort = abort
	s.api = newServer(api, log)
	s.api.BaseContext = func(net.Listener) context.Context { return ctx }
	s.api.TLSConfig = security
	s.api.Protocols = new(http.Protocols)
	s.api.Protocols.SetHTTP1(true)
	s.api.Protocols.SetHTTP2(security != nil)
	s.api.Protocols.SetUnencryptedHTTP2(security == nil)
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics)
	// Who watches the process, such as a kubelet, has no SVID to ask the API with.
	mux.Handle("GET /v2/health/", api)
	s.metrics = newServer(mux, log)
	return s
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelInfo),
	}
}

// start serves. What comes from the channel is why a server stopped by itself.
func (s *servers) start() <-chan error {
	stopped := make(chan error, 2)
	s.serving.Go(func() {
		serve := s.api.Serve
		if s.security != nil {
			serve = func(l net.Listener) error { return s.api.ServeTLS(l, "", "") }
		}
		if err := serve(s.listeners.http); !errors.Is(err, http.ErrServerClosed) {
			stopped <- fmt.Errorf("serving: %w", err)
		}
	})
	if s.listeners.metrics != nil {
		s.serving.Go(func() {
			if err := s.metrics.Serve(s.listeners.metrics); !errors.Is(err, http.ErrServerClosed) {
				stopped <- fmt.Errorf("serving metrics: %w", err)
			}
		})
	}
	return stopped
}

// stop says not ready, lets requests end for up to the given time and cuts those that have not; what they still compute,
// the closing of the models waits for. Metrics are served to the end.
func (s *servers) stop(models *registry.Current, wait time.Duration) error {
	models.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	err := s.api.Shutdown(ctx)
	s.abort()
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("requests did not end in time and were cut", "timeout", wait)
		err = s.api.Close()
	}
	err = errors.Join(err, s.metrics.Close())
	s.serving.Wait()
	return err
}
