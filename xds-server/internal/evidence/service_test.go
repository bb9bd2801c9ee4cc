package evidence

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	dataaccesslogv3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/filter/policy/evidence"
)

// desk is a service without a network, and what it told.
type desk struct {
	t           *testing.T
	dir         string
	ring        *Ring
	connection  *grpc.ClientConn
	stranger    atomic.Bool
	renew       atomic.Bool
	left        atomic.Int64
	taken       chan string
	missing     atomic.Uint64
	outstanding atomic.Uint64
	refused     atomic.Int64
}

func (d *desk) EvidenceTaken(verdict string, missing uint64) {
	d.missing.Add(missing)
	d.taken <- verdict
}
func (d *desk) EvidenceLost()             { d.taken <- "lost" }
func (d *desk) EvidenceKeyGiven(n uint64) { d.outstanding.Store(n) }
func (d *desk) EvidenceKeyRefused()       { d.refused.Add(1) }

func (d *desk) peer(context.Context) (Peer, error) {
	if d.stranger.Load() {
		return Peer{}, errors.New("no certificate")
	}
	renew := time.Now().Add(time.Hour)
	if d.renew.Load() {
		renew = time.Now()
	}
	return Peer{ID: spiffeid.RequireFromString(envoy), Renew: renew, Leave: func() { d.left.Add(1) }}, nil
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	ring, path := newRing(t)
	d := &desk{t: t, dir: filepath.Dir(path), ring: ring, taken: make(chan string, 100)}
	kept, err := OpenLog(d.dir, 4, ring.Chain)
	if err != nil {
		t.Fatal(err)
	}
	service := NewService(Config{
		Peer: d.peer, Entitled: func(id spiffeid.ID) bool { return id.String() == envoy }, Ring: ring, Log: kept,
		Observer: d, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	server, listener := grpc.NewServer(), bufconn.Listen(1<<20)
	service.Register(server)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	d.connection, err = grpc.NewClient("passthrough:desk", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.connection.Close()
		server.Stop()
		<-done
	})
	return d
}

// ask asks for keys.
func (d *desk) ask(in []byte) (keys evidence.Keys, err error) {
	d.t.Helper()
	out := &wrapperspb.BytesValue{}
	if err := d.connection.Invoke(d.t.Context(), "/weir.evidence.v1.Keys/Give", wrapperspb.Bytes(in), out); err != nil {
		return keys, err
	}
	return keys, evidence.ReadAnswer(out.GetValue(), &keys)
}

func entryOf(t *testing.T, record []byte) *dataaccesslogv3.HTTPAccessLogEntry {
	t.Helper()
	packed, err := anypb.New(wrapperspb.Bytes(record))
	if err != nil {
		t.Fatal(err)
	}
	return &dataaccesslogv3.HTTPAccessLogEntry{CommonProperties: &dataaccesslogv3.AccessLogCommon{FilterStateObjects: map[string]*anypb.Any{FilterState: packed}}}
}

func message(name string, entries ...*dataaccesslogv3.HTTPAccessLogEntry) *accesslogv3.StreamAccessLogsMessage {
	m := &accesslogv3.StreamAccessLogsMessage{LogEntries: &accesslogv3.StreamAccessLogsMessage_HttpLogs{
		HttpLogs: &accesslogv3.StreamAccessLogsMessage_HTTPAccessLogEntries{LogEntry: entries}}}
	if name != "" {
		m.Identifier = &accesslogv3.StreamAccessLogsMessage_Identifier{LogName: name, Node: &corev3.Node{Id: "edge"}}
	}
	return m
}

// TestService gives a key, takes records and tells of what has not come.
func TestService(t *testing.T) {
	d := newDesk(t)
	all := records(t, d.ring, 5, 6)
	keys, err := d.ask(evidence.AppendAsk(nil, evidence.Head{Epoch: 5, Seq: 6}, 0))
	if own, _ := d.ring.Keys(envoy); err != nil || keys != own || d.outstanding.Load() != 6 {
		t.Fatalf("%v, %d outstanding", err, d.outstanding.Load())
	}
	stream, err := accesslogv3.NewAccessLogServiceClient(d.connection).StreamAccessLogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	absent := &dataaccesslogv3.HTTPAccessLogEntry{Response: &dataaccesslogv3.HTTPResponseProperties{ResponseCode: wrapperspb.UInt32(503)}}
	for _, m := range []*accesslogv3.StreamAccessLogsMessage{
		message(LogName, entryOf(t, all[0]), entryOf(t, all[1])), message("", entryOf(t, all[3]), absent, entryOf(t, []byte("none"))),
	} {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"unsealed", "unsealed", "sealed", "absent", "malformed"} {
		if got := <-d.taken; got != want {
			t.Errorf("entry %d is %s, want %s", i, got, want)
		}
	}
	if d.missing.Load() != 1 {
		t.Errorf("%d are missing", d.missing.Load())
	}
	if _, err := d.ask(evidence.AppendAsk(nil, evidence.Head{Epoch: 5, Seq: 6}, 1)); err != nil || d.outstanding.Load() != 2 {
		t.Errorf("%v, %d outstanding", err, d.outstanding.Load())
	}
	if _, err := d.ask([]byte("no ask")); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	if _, err := stream.CloseAndRecv(); err != nil {
		t.Error(err)
	}
	// A certificate that comes to its end has the Envoy make another connection.
	d.renew.Store(true)
	if stream, err = accesslogv3.NewAccessLogServiceClient(d.connection).StreamAccessLogs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(message(LogName, entryOf(t, all[4]))); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.CloseAndRecv(); err != nil || d.left.Load() != 1 || <-d.taken != "sealed" {
		t.Errorf("%v, left %d times", err, d.left.Load())
	}
}

func TestServiceRefuses(t *testing.T) {
	d := newDesk(t)
	stream, err := accesslogv3.NewAccessLogServiceClient(d.connection).StreamAccessLogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(message("other")); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.CloseAndRecv(); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	d.stranger.Store(true)
	if _, err := d.ask(nil); status.Code(err) != codes.Unauthenticated || d.refused.Load() != 1 {
		t.Errorf("%v, %d refusals", err, d.refused.Load())
	}
}
