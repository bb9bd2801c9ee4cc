package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	dataaccesslogv3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/filter/policy/evidence"
)

// LogName is the name of the access log whose entries hold records.
const LogName = "weir.evidence"

// FilterState is the name of the filter state that a record is.
const FilterState = "wasm.weir"

// Peer is the proved identity of a caller.
type Peer struct {
	ID    spiffeid.ID
	Renew time.Time // when it is to come back with a fresh certificate
	Leave func()    // has it make its next call on another connection
}

// Observer is told what the service does. It is called from many goroutines.
type Observer interface {
	// EvidenceTaken is told of every record, and of the records before it that never
	// came.
	EvidenceTaken(verdict string, missing uint64)
	// EvidenceLost is told of every record that could not be kept.
	EvidenceLost()
	// EvidenceKeyGiven is told of every answer to an ask for keys, and of how many records
	// the worker says it has made that have not come.
	EvidenceKeyGiven(outstanding uint64)
	// EvidenceKeyRefused is told of every ask that was refused.
	EvidenceKeyRefused()
}

// Config is what a Service needs; all of it is required.
type Config struct {
	Peer     func(context.Context) (Peer, error) // who makes a call
	Entitled func(spiffeid.ID) bool              // whether it is an Envoy of this server
	Ring     *Ring
	Log      *Log
	Observer Observer
	Logger   *slog.Logger
	Now      func() time.Time
}

// Service hands out keys, and takes records from Envoys' access logs.
type Service struct {
	accesslogv3.UnimplementedAccessLogServiceServer
	config Config

	mu    sync.Mutex
	heads map[chainID]asked // guarded by mu
}

// asked is what a worker said of its chain last.
type asked struct {
	at  time.Time
	seq uint64
}

// forgetAfter is after how long without a word a worker's chain counts as ended.
const forgetAfter = 10 * time.Minute

// NewService returns a service.
func NewService(c Config) *Service { return &Service{config: c, heads: map[chainID]asked{}} }

// Register adds the service to a server.
func (s *Service) Register(registrar grpc.ServiceRegistrar) {
	registrar.RegisterService(&grpc.ServiceDesc{
		ServiceName: "weir.evidence.v1.Keys", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Give", Handler: s.handle}},
	}, s)
	accesslogv3.RegisterAccessLogServiceServer(registrar, s)
}

func (s *Service) handle(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // gRPC's order of arguments
	in := &wrapperspb.BytesValue{}
	if err := decode(in); err != nil {
		return nil, err
	}
	out, err := s.give(ctx, in.GetValue())
	if err != nil {
		s.config.Observer.EvidenceKeyRefused()
		return nil, err
	}
	return wrapperspb.Bytes(out), nil
}

// peer returns who calls, if it may.
func (s *Service) peer(ctx context.Context) (Peer, error) {
	peer, err := s.config.Peer(ctx)
	if err != nil {
		return Peer{}, status.Errorf(codes.Unauthenticated, "no SPIFFE ID was proved: %v", err)
	}
	if !s.config.Entitled(peer.ID) {
		return Peer{}, status.Errorf(codes.PermissionDenied, "no evidence is taken from %s: list it under spec.envoys of a Gateway", peer.ID)
	}
	return peer, nil
}

func (s *Service) give(ctx context.Context, in []byte) ([]byte, error) {
	peer, err := s.peer(ctx)
	if err != nil {
		return nil, err
	}
	if !s.config.Now().Before(peer.Renew) {
		peer.Leave()
	}
	head, _, err := evidence.ReadAsk(in)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	keys, err := s.config.Ring.Keys(peer.ID.String())
	if err != nil {
		s.config.Logger.Error("no keys for evidence", "error", err)
		return nil, status.Error(codes.Internal, "the keys for evidence cannot be read")
	}
	s.config.Observer.EvidenceKeyGiven(s.note(peer.ID.String(), head))
	return evidence.AppendAnswer(nil, &keys), nil
}

// note remembers how far a worker says its chain has come, and returns how many
// records of all chains have not come.
func (s *Service) note(envoy string, h evidence.Head) (outstanding uint64) {
	now := s.config.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads[chainID{envoy, h.Epoch}] = asked{now, h.Seq}
	for id, a := range s.heads {
		if now.Sub(a.at) > forgetAfter {
			delete(s.heads, id)
			continue
		}
		if came := s.config.Log.Seq(id.envoy, id.epoch); came < a.seq {
			outstanding += a.seq - came
		}
	}
	return outstanding
}

// StreamAccessLogs takes records.
func (s *Service) StreamAccessLogs(stream accesslogv3.AccessLogService_StreamAccessLogsServer) error {
	peer, err := s.peer(stream.Context())
	if err != nil {
		return err
	}
	node := ""
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&accesslogv3.StreamAccessLogsResponse{})
		}
		if err != nil {
			return fmt.Errorf("evidence of %s: %w", peer.ID, err)
		}
		if id := message.GetIdentifier(); id != nil {
			if id.GetLogName() != LogName {
				return status.Errorf(codes.InvalidArgument, "the access log %q is none of this server's", id.GetLogName())
			}
			node = id.GetNode().GetId()
		}
		for _, entry := range message.GetHttpLogs().GetLogEntry() {
			s.take(peer.ID.String(), node, entry)
		}
		if !s.config.Now().Before(peer.Renew) {
			// The next message makes a new stream, which needs a new connection.
			peer.Leave()
			return stream.SendAndClose(&accesslogv3.StreamAccessLogsResponse{})
		}
	}
}

// take keeps what an entry of an access log holds.
func (s *Service) take(envoy, node string, entry *dataaccesslogv3.HTTPAccessLogEntry) {
	now := s.config.Now()
	record, found, err := recordOf(entry)
	finding := Finding{Verdict: Absent}
	switch {
	case err == nil && found:
		finding, err = s.config.Log.Take(now, envoy, node, record)
	case err == nil:
		r := entry.GetResponse()
		err = s.config.Log.Miss(now, envoy, node, r.GetResponseCode().GetValue(), r.GetResponseCodeDetails())
	}
	if err != nil {
		s.config.Observer.EvidenceLost()
		s.config.Logger.Error("evidence is lost", "envoy", envoy, "error", err)
		return
	}
	s.config.Observer.EvidenceTaken(string(finding.Verdict), finding.Missing)
	if finding.Missing > 0 || !finding.Verdict.Good() && finding.Verdict != Absent {
		s.config.Logger.Error("evidence is not whole", "envoy", envoy, "node", node, "verdict", string(finding.Verdict),
			"missing", finding.Missing, "epoch", fmt.Sprintf("%016x", finding.Link.Epoch), "seq", finding.Link.Seq)
	}
}

// recordOf returns the record in an entry. Envoy packs the bytes that a wasm filter has
// set as filter state into a BytesValue.
func recordOf(entry *dataaccesslogv3.HTTPAccessLogEntry) (record []byte, found bool, err error) {
	packed := entry.GetCommonProperties().GetFilterStateObjects()[FilterState]
	if packed == nil {
		return nil, false, nil
	}
	value := &wrapperspb.BytesValue{}
	if err := packed.UnmarshalTo(value); err != nil {
		return nil, false, fmt.Errorf("filter state %s: %w", FilterState, err)
	}
	return value.GetValue(), true, nil
}
