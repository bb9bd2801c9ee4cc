package xdsbench

import (
	"cmp"
	"slices"
	"sync"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
)

// tap listens to the streams of a server, whichever it is, and tells progress
// which client acknowledged what. It is the same for all servers.
type tap struct {
	progress *progress

	mu      sync.Mutex
	streams map[uint64]*tapped
	last    uint64
}

func newTap(p *progress) *tap { return &tap{progress: p, streams: map[uint64]*tapped{}} }

// intercept is a grpc.StreamServerInterceptor.
func (t *tap) intercept(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, serve grpc.StreamHandler) error {
	s := t.open(stream)
	defer t.close(s)
	return serve(service, s)
}

func (t *tap) open(stream grpc.ServerStream) *tapped {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	s := &tapped{ServerStream: stream, number: t.last, progress: t.progress, inflight: map[string][]lead{}}
	t.streams[s.number] = s
	return s
}

func (t *tap) close(s *tapped) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.streams, s.number)
}

// streamReport is what a stream has seen.
type streamReport struct {
	Node     string `json:"node"`
	Sent     int    `json:"sent"`     // resources
	Waiting  int    `json:"waiting"`  // responses that are not answered
	Refusals int    `json:"refusals"` // NACKs
	Message  string `json:"message"`  // of the last NACK
}

// report describes the open streams, in the order in which they came.
func (t *tap) report() []streamReport {
	t.mu.Lock()
	streams := make([]*tapped, 0, len(t.streams))
	for _, s := range t.streams {
		streams = append(streams, s)
	}
	t.mu.Unlock()
	slices.SortFunc(streams, func(a, b *tapped) int { return cmp.Compare(a.number, b.number) })
	reports := make([]streamReport, len(streams))
	for i, s := range streams {
		reports[i] = s.report()
	}
	return reports
}

// tapped is one stream.
type tapped struct {
	grpc.ServerStream
	number   uint64
	progress *progress

	mu       sync.Mutex
	inflight map[string][]lead // resources of unanswered responses that a change waits for, by nonce
	status   streamReport
}

func (s *tapped) report() streamReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.status
	r.Waiting = len(s.inflight)
	return r
}

// SendMsg notes which resources of a response a change waits for, before the
// client can answer.
func (s *tapped) SendMsg(m any) error {
	if response, ok := m.(*discoveryv3.DeltaDiscoveryResponse); ok {
		s.sending(response)
	}
	return s.ServerStream.SendMsg(m)
}

func (s *tapped) sending(response *discoveryv3.DeltaDiscoveryResponse) {
	var watched []lead
	if k, known := kindOf([]byte(response.GetTypeUrl())); known && !s.progress.idle() {
		for _, r := range response.GetResources() {
			if l := (lead{k, r.GetName()}); s.progress.follows(l) {
				watched = append(watched, l)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Sent += len(response.GetResources())
	s.inflight[response.GetNonce()] = watched
}

// RecvMsg takes the client's answers.
func (s *tapped) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if request, ok := m.(*discoveryv3.DeltaDiscoveryRequest); ok {
		s.received(request, time.Now())
	}
	return nil
}

func (s *tapped) received(request *discoveryv3.DeltaDiscoveryRequest, at time.Time) {
	s.mu.Lock()
	if id := request.GetNode().GetId(); id != "" {
		s.status.Node = id
	}
	detail := request.GetErrorDetail()
	if detail != nil {
		s.status.Refusals++
		s.status.Message = detail.GetMessage()
	}
	watched := s.inflight[request.GetResponseNonce()]
	delete(s.inflight, request.GetResponseNonce())
	s.mu.Unlock()
	for _, l := range watched {
		s.progress.answered(s.number, l, detail != nil, at)
	}
}
