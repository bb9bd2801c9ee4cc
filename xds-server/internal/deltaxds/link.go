package deltaxds

import (
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// link moves messages of one stream, so that neither direction blocks the
// session. It carries one response at a time; while it does, no requests are
// handed out.
type link struct {
	server   *Server
	requests chan received
	outgoing chan *discoveryv3.DeltaDiscoveryResponse
	sent     chan error // the end of a send
	current  *discoveryv3.DeltaDiscoveryResponse
	overdue  alarm
}

type received struct {
	req *discoveryv3.DeltaDiscoveryRequest
	err error
}

// connect starts the goroutines of a stream. They end with the stream, which the
// gRPC server ends when its handler has returned.
func (s *Server) connect(g deltaStream) *link {
	l := &link{
		server: s, requests: make(chan received),
		outgoing: make(chan *discoveryv3.DeltaDiscoveryResponse), sent: make(chan error, 1),
	}
	s.running.Go(func() { l.receive(g) })
	s.running.Go(func() {
		for resp := range l.outgoing {
			l.sent <- g.Send(resp)
		}
	})
	return l
}

// receive reads requests until the stream ends, one at a time.
func (l *link) receive(g deltaStream) {
	done := g.Context().Done()
	for {
		req, err := g.Recv()
		select {
		case l.requests <- received{req, err}:
		case <-done: // the session has returned, or is about to
			return
		}
		if err != nil {
			return
		}
	}
}

func (l *link) idle() bool { return l.current == nil }

// incoming is where requests come from, nil while a response is being sent.
func (l *link) incoming() <-chan received {
	if l.current != nil {
		return nil
	}
	return l.requests
}

// send starts to send; the end comes on sent, or overdue fires.
func (l *link) send(resp *discoveryv3.DeltaDiscoveryResponse) {
	l.current = resp
	now := l.server.config.Now()
	l.overdue.set(l.server, now.Add(l.server.config.SendTimeout), now)
	l.outgoing <- resp
}

// delivered returns the response that was sent, and is ready for the next.
func (l *link) delivered() *discoveryv3.DeltaDiscoveryResponse {
	resp := l.current
	l.current = nil
	l.overdue.stop()
	return resp
}

func (l *link) close() {
	l.overdue.stop()
	close(l.outgoing)
}
