// Package admin is the xds-server's interface for operators: is it alive, is it
// ready, what does it count, what does it know, and the way back to an earlier
// configuration. It serves plain HTTP paths for machines (/healthz, /readyz,
// /metrics, /status) and the admin API over gRPC and JSON, on a listener for
// loopback that asks nobody who they are, and on one with mTLS where the SPIFFE
// ID of the caller must be among the operators.
package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
)

// Config is what a Server needs. All fields are required.
type Config struct {
	Backend Backend
	Metrics http.Handler
	Log     *slog.Logger
	Now     func() time.Time
}

// Server is the interface on all of its listeners.
type Server struct {
	config  Config
	service *service
	grpc    *grpc.Server
	plain   http.Handler // paths for machines
	api     http.Handler // the admin API as JSON
}

// maxRequest bounds a request, in bytes. They are small.
const maxRequest = 64 << 10

// New returns a server that serves what config's backend knows.
func New(config Config) *Server {
	s := &Server{config: config, service: newService(config)}
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
	)
	adminv1.RegisterAdminServer(s.grpc, s.service)
	s.plain = s.machinePaths()
	s.api = http.NewCrossOriginProtection().Handler(s.jsonPaths())
	return s
}

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := authorize(ctx, s.config.Backend.Operators, info.FullMethod); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (s *Server) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := authorize(stream.Context(), s.config.Backend.Operators, info.FullMethod); err != nil {
		return err
	}
	return handler(server, stream)
}

// route passes a request on to where it belongs. Its caller is known by now.
func (s *Server) route(plain http.Handler, w http.ResponseWriter, r *http.Request) {
	switch {
	case r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		unlimited(w)
		s.grpc.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/v1/"):
		s.api.ServeHTTP(w, r)
	default:
		plain.ServeHTTP(w, r)
	}
}

// unlimited lifts the listener's time limits from a stream, which lasts as long
// as its client.
func unlimited(w http.ResponseWriter) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // a limit that stays ends the stream early, and its client comes again
	_ = control.SetReadDeadline(time.Time{})
}

func (s *Server) machinePaths() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.config.Backend.Ready(); err != nil {
			text(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
		text(w, http.StatusOK, "ready\n")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { writeStatus(w, s.config.Backend.Status()) })
	mux.Handle("GET /metrics", s.config.Metrics)
	return mux
}

// guarded are the paths for machines where only operators may see what the
// server knows, and everybody with an SVID whether it is alive.
func (s *Server) guarded() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
			if err := authorize(r.Context(), s.config.Backend.Operators, adminv1.Admin_GetStatus_FullMethodName); err != nil {
				text(w, httpStatus(status.Code(err)), status.Convert(err).Message()+"\n")
				return
			}
		}
		s.plain.ServeHTTP(w, r)
	})
}

func text(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(body)) // the client has left if this fails
}

func writeStatus(w http.ResponseWriter, s Status) {
	body, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		text(w, http.StatusInternalServerError, "encode the status: "+err.Error()+"\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(append(body, '\n')) // the client has left if this fails
}
