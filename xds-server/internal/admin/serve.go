package admin

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

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// ServeLoopback answers on a listener that asks nobody who they are until ctx
// ends. The admin API is there for connections to a loopback address only, and
// then to read and to write.
func (s *Server) ServeLoopback(ctx context.Context, listener net.Listener) error {
	server := s.server(s.plain, unauthenticated)
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	return s.serve(ctx, server, func() error { return server.Serve(listener) })
}

// ServeTLS answers over mTLS until ctx ends: it proves the server by svid,
// demands an SVID of every client, and lets those read and write that are among
// the backend's operators. A request ends with the SVID of its client.
func (s *Server) ServeTLS(ctx context.Context, listener net.Listener, svid x509svid.Source, bundle x509bundle.Source) error {
	server := s.server(s.guarded(), func(r *http.Request) caller { return proved(r, s.config.Now()) })
	server.TLSConfig = tlsconfig.MTLSServerConfig(svid, bundle, tlsconfig.AuthorizeAny())
	server.TLSConfig.MinVersion = tls.VersionTLS13
	// A resumed session would not be verified against the bundle of today.
	server.TLSConfig.SessionTicketsDisabled = true
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	return s.serve(ctx, server, func() error { return server.ServeTLS(listener, "", "") })
}

// grace lets a watch say why it ends before it is cut.
const grace = time.Second

// server returns an HTTP server with the paths for machines that are given. It
// asks identify who makes a request.
func (s *Server) server(plain http.Handler, identify func(*http.Request) caller) *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who := identify(r)
			ctx := context.WithValue(r.Context(), callerKey{}, who)
			if !who.until.IsZero() {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, who.until.Sub(s.config.Now())+grace)
				defer cancel()
			}
			s.route(plain, w, r.WithContext(ctx))
		}),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: 64},
		ErrorLog: slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug),
	}
}

// serve runs the server until ctx ends, and returns when no request is answered
// any more.
func (s *Server) serve(ctx context.Context, server *http.Server, run func() error) error {
	var running inFlight
	server.Handler = running.count(server.Handler)
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // what it closes is of no use any more
	defer stop()
	err := run()
	err = errors.Join(err, server.Close())
	running.wait()
	if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("admin interface: %w", err)
}

// inFlight knows whether requests are being answered: each holds the lock for
// reading.
type inFlight struct {
	mu   sync.RWMutex
	over bool
}

func (f *inFlight) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.RLock()
		defer f.mu.RUnlock()
		if !f.over {
			next.ServeHTTP(w, r)
		}
	})
}

// wait returns when all are answered. None begins after that.
func (f *inFlight) wait() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
}
