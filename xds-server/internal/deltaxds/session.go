package deltaxds

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

type deltaStream = discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer

// session is one open stream: the state machine and what drives it. A client
// that does not read holds up its own session and nobody else; it costs at most
// one response a type, its requests are not read meanwhile, and after a while it
// is dropped.
type session struct {
	server    *Server
	grpc      deltaStream
	number    uint64
	peer      Peer
	connected time.Time
	log       *slog.Logger

	// Of the goroutine that runs the session.
	grant  *grant // what the peer was entitled to when last looked
	link   *link
	turn   turn
	pushed string // version of the snapshot of which something was sent last
	drain  alarm
	warmed chan warmth

	mu        sync.Mutex // guards what follows; never held while sending
	state     *stream
	node      string
	heard     bool                 // the first request came
	published map[string]time.Time // when the snapshots that matter were published, by version
}

// warmth is the end of a wait for clusters.
type warmth struct {
	question int
	err      error
}

// run serves the client and returns the reason for the end in a few words for
// metrics, and the status for the client.
func (c *session) run() (reason string, err error) {
	renewal, stopRenewal := c.server.timer(c.peer.Renew.Sub(c.server.config.Now()))
	defer stopRenewal()
	defer c.drain.stop()
	c.link = c.server.connect(c.grpc)
	defer c.link.close()
	defer c.turn.pass()
	for {
		c.advance()
		select {
		case <-c.grpc.Context().Done():
			return "client left", nil
		case c.turn.wanted() <- struct{}{}:
			c.turn.take()
		case <-c.turn.silent.fired:
			c.turn.pass()
		case r := <-c.incoming():
			if r.err != nil {
				return ending(r.err), nil
			}
			if reason, err := c.request(r.req); err != nil {
				return reason, err
			}
		case err := <-c.link.sent:
			if err != nil {
				return ending(err), err
			}
			c.delivered()
		case <-c.link.overdue.fired:
			return c.drop()
		case <-c.grant.changed:
			if reason, err := c.refresh(); err != nil {
				return reason, err
			}
		case w := <-c.warmed:
			c.warm(w)
		case <-c.drain.fired:
			c.drain.stop()
		case <-renewal:
			return "SVID to be renewed", renew(c.peer)
		}
	}
}

// incoming is where requests come from, nil before the client's turn and while a
// response is being sent.
func (c *session) incoming() <-chan received {
	if !c.turn.begun {
		return nil
	}
	return c.link.incoming()
}

// advance sends what the client may get now, unless it is still being sent
// something, and sees to it that it goes on when there is something to wait for.
func (c *session) advance() {
	now := c.server.config.Now()
	c.mu.Lock()
	var resp *discoveryv3.DeltaDiscoveryResponse
	if c.link.idle() {
		resp = c.state.next(now)
	}
	names, question := c.state.question()
	counts, at := c.state.takeCounts(), c.published[c.state.target.Version()]
	wake, node := c.state.wake(), c.node
	caughtUp, awaited := c.state.settled, c.state.awaits()
	c.mu.Unlock()
	for url, n := range counts.suppressed {
		c.server.config.Observer.Suppressed(url, n)
	}
	if counts.converged != "" {
		c.server.config.Observer.Converged(c.peer.ID, node, counts.converged, now.Sub(at))
		c.server.config.Clients.Accepted(c.client(node), counts.converged)
	}
	if len(names) > 0 {
		c.askWarm(node, names, question)
	}
	if !wake.Equal(c.drain.at) {
		c.drain.set(c.server, wake, now)
	}
	if resp != nil {
		c.link.send(resp)
	}
	if caughtUp {
		c.turn.pass()
	} else {
		c.turn.listen(awaited)
	}
}

// delivered notes that the client's side took a response.
func (c *session) delivered() {
	resp := c.link.delivered()
	c.server.config.Observer.ResponseSent(resp.GetTypeUrl(), len(resp.GetResources()), len(resp.GetRemovedResources()), proto.Size(resp))
	version := resp.GetSystemVersionInfo()
	if version == c.pushed {
		return
	}
	c.pushed = version
	c.mu.Lock()
	at, node := c.published[version], c.node
	c.mu.Unlock()
	c.server.config.Observer.Pushed(c.peer.ID, node, version, c.server.config.Now().Sub(at))
}

func (c *session) request(req *discoveryv3.DeltaDiscoveryRequest) (reason string, err error) {
	if !c.grant.allows(req.GetTypeUrl()) {
		return "type not entitled", notEntitledTo(c.peer.ID, clip(req.GetTypeUrl()))
	}
	c.mu.Lock()
	c.identify(req)
	reply, err := c.state.request(req, c.server.config.Now())
	if reply.changed {
		c.server.parking.save(c.peer.ID, c.node, c.state.refused())
	}
	node := c.node
	c.mu.Unlock()
	if err != nil {
		c.log.Warn("refused an xDS request", "error", err)
		return "refused request", status.Error(codes.InvalidArgument, err.Error())
	}
	switch {
	case reply.acked:
		c.server.config.Observer.Acked(reply.typeURL, reply.took)
		c.log.Debug("acknowledged", "type", reply.typeURL, "version", reply.version, "took", reply.took)
	case reply.nacked:
		c.refused(reply, node)
	}
	return "", nil
}

// identify takes the node's claim from the first request, and what it refused on
// earlier streams.
func (c *session) identify(req *discoveryv3.DeltaDiscoveryRequest) {
	if id := req.GetNode().GetId(); id != "" {
		c.node = clip(id)
	}
	if !c.heard {
		c.heard = true
		c.server.config.Clients.Identified(c.client(c.node), req.GetNode().GetMetadata())
		c.state.options.parked = c.server.parking.recall(c.peer.ID, c.node)
	}
}

// maxLogged is how many resources one line of the log names.
const maxLogged = 20

func (c *session) refused(r reply, node string) {
	names, origins := make([]string, 0, len(r.parked)), []string(nil)
	for _, p := range r.parked {
		names = append(names, p.Name)
		if p.Origin != "" && len(origins) < maxLogged {
			origins = append(origins, p.Origin)
		}
	}
	c.server.config.Observer.Nacked(r.typeURL)
	c.server.config.Clients.Refused(c.client(node))
	c.server.config.Observer.Parked(c.peer.ID, node, r.version, r.typeURL, names, r.message)
	c.log.Error("Envoy refused a configuration; it serves on with its last good one",
		"node", node, "type", r.typeURL, "version", r.version, "resources", names[:min(len(names), maxLogged)],
		"refused", len(names), "origins", origins, "message", r.message)
}

// refresh takes the newest entitlement, or ends the stream if there is none.
func (c *session) refresh() (reason string, err error) {
	e := c.server.config.Registry.lookup(c.peer.ID)
	if e == nil {
		return "entitlement removed", notEntitled(c.peer.ID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grant = e
	for url := range c.state.types {
		if !e.allows(url) {
			return "type not entitled", notEntitledTo(c.peer.ID, url)
		}
	}
	c.state.options.allows = e.allows
	if e.Snapshot == c.state.newest.to {
		return "", nil
	}
	c.state.publish(e.Snapshot, e.before, e.changes)
	target := c.state.target.Version()
	c.published = map[string]time.Time{target: c.published[target], e.Snapshot.Version(): e.at}
	return "", nil
}

// askWarm has somebody find out when clusters are ready.
func (c *session) askWarm(node string, names []string, question int) {
	ctx := c.grpc.Context()
	ready := c.server.config.Warm(ctx, c.peer, node, names)
	c.server.running.Go(func() {
		w := warmth{question: question}
		select {
		case w.err = <-ready:
		case <-ctx.Done():
			return
		}
		select {
		case c.warmed <- w:
		case <-ctx.Done():
		}
	})
}

func (c *session) warm(w warmth) {
	failure := ""
	if w.err != nil {
		failure = clip(w.err.Error())
		c.log.Warn("clusters are not known to be ready; what leads to them is sent now", "error", w.err)
	}
	c.mu.Lock()
	c.state.gate.answer(w.question, failure)
	c.mu.Unlock()
}

// drop ends a stream whose client does not read. Its next one shall come on
// another connection: this one is full.
func (c *session) drop() (reason string, err error) {
	limit := c.server.config.SendTimeout
	c.log.Error("dropped an xDS stream: the client did not read a response in time", "limit", limit)
	c.peer.Leave()
	return "slow client", status.Error(codes.ResourceExhausted, fmt.Sprintf("a response was not read within %s", limit))
}

func (c *session) status() StreamStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state.report()
	s.Stream, s.SPIFFEID, s.Node, s.Address = c.number, c.peer.ID, c.node, c.peer.Address
	s.Connected, s.Expires = c.connected, c.peer.Expires
	return s
}

// alarm is a timer that may be set anew.
type alarm struct {
	at      time.Time // zero: not set
	fired   <-chan time.Time
	release func()
}

func (a *alarm) set(s *Server, at, now time.Time) {
	a.stop()
	if !at.IsZero() {
		a.at = at
		a.fired, a.release = s.timer(at.Sub(now))
	}
}

func (a *alarm) stop() {
	if a.release != nil {
		a.release()
	}
	*a = alarm{}
}
