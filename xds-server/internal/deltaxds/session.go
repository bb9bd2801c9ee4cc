package deltaxds

import (
	"log/slog"
	"sync"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// session is one open stream: the state machine and what drives it. A client
// that does not read blocks its own session in Send and nobody else; it costs at
// most one response a type, and its requests are not read meanwhile.
type session struct {
	server    *Server
	grpc      discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer
	number    uint64
	peer      Peer
	connected time.Time
	entry     *entry // what the peer was entitled to when last looked

	mu    sync.Mutex // guards what follows; never held while sending
	state *stream
	node  string
}

type received struct {
	req *discoveryv3.DeltaDiscoveryRequest
	err error
}

// run serves the client and returns the reason for the end in a word for
// metrics, and the status for the client.
func (c *session) run(log *slog.Logger) (reason string, err error) {
	renewal := time.NewTimer(c.peer.Renew.Sub(c.server.config.Now()))
	defer renewal.Stop()
	requests := c.receive()
	for {
		select {
		case r := <-requests:
			if r.err != nil {
				return ending(r.err), nil
			}
			if err := c.request(r.req, log); err != nil {
				return "refused request", status.Error(codes.InvalidArgument, err.Error())
			}
		case <-c.entry.changed:
			if !c.refresh() {
				return "entitlement removed", notEntitled(c.peer.ID)
			}
		case <-renewal.C:
			return "SVID to be renewed", renew(c.peer)
		}
		if err := c.flush(); err != nil {
			return ending(err), err
		}
	}
}

// receive reads requests until the stream ends, one at a time.
func (c *session) receive() <-chan received {
	requests := make(chan received)
	done := c.grpc.Context().Done()
	c.server.readers.Add(1)
	go func() {
		defer c.server.readers.Done()
		for {
			req, err := c.grpc.Recv()
			select {
			case requests <- received{req, err}:
			case <-done: // the session has returned, or is about to
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return requests
}

func (c *session) request(req *discoveryv3.DeltaDiscoveryRequest, log *slog.Logger) error {
	c.mu.Lock()
	if id := req.GetNode().GetId(); id != "" {
		c.node = clip(id)
	}
	reply, err := c.state.request(req, c.server.config.Now())
	c.mu.Unlock()
	if err != nil {
		log.Warn("refused an xDS request", "error", err)
		return err
	}
	switch {
	case reply.acked:
		c.server.config.Observer.Acked(reply.typeURL, reply.took)
		log.Debug("acknowledged", "type", reply.typeURL, "version", reply.version, "took", reply.took)
	case reply.nacked:
		c.server.config.Observer.Nacked(reply.typeURL)
		log.Error("Envoy refused a configuration; it serves on with its last good one",
			"type", reply.typeURL, "version", reply.version, "message", reply.message)
	}
	return nil
}

// refresh takes the newest snapshot; false if there is none for the client.
func (c *session) refresh() bool {
	e := c.server.config.Registry.lookup(c.peer.ID)
	if e == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entry = e
	if e.Snapshot != c.state.snap {
		c.state.publish(e.Snapshot, e.before, e.changes)
	}
	return true
}

// flush sends all that the client may get now.
func (c *session) flush() error {
	for {
		c.mu.Lock()
		resp := c.state.next(c.server.config.Now())
		c.mu.Unlock()
		if resp == nil {
			return nil
		}
		if err := c.grpc.Send(resp); err != nil {
			return err
		}
		c.server.config.Observer.ResponseSent(resp.GetTypeUrl(), len(resp.GetResources()), len(resp.GetRemovedResources()), proto.Size(resp))
	}
}

func (c *session) status() StreamStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	types, inSync := c.state.report()
	return StreamStatus{
		Stream: c.number, SPIFFEID: c.peer.ID, Node: c.node, Address: c.peer.Address,
		Connected: c.connected, Expires: c.peer.Expires,
		Version: c.state.snap.Version(), InSync: inSync, Types: types,
	}
}
