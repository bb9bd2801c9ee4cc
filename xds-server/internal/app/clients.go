package app

import (
	"context"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/metrics"
	"github.com/weirmesh/weir/xds-server/internal/serving"
	"github.com/weirmesh/weir/xds-server/internal/stage"
)

// clients knows the Envoys beyond their streams: where each can be asked what it
// serves, and what it answered. It passes on what happens on the streams to those
// who count, and to the canaries' stage.
type clients struct {
	*metrics.Follower
	gate      *serving.Gate
	confirmer *serving.Confirmer
	publisher *publisher

	mu     sync.Mutex
	envoys map[string]serving.Envoy // by the remote address of the connection
}

func newClients(f *metrics.Follower, asker *serving.Asker, times serving.GateTimes, p *publisher, now func() time.Time) *clients {
	c := &clients{Follower: f, publisher: p, gate: serving.NewGate(asker, times), envoys: make(map[string]serving.Envoy)}
	c.confirmer = serving.NewConfirmer(asker, now, p.look)
	return c
}

// stop ends all questions. The streams have ended before.
func (c *clients) stop() {
	c.gate.Wait()
	c.confirmer.Stop()
}

// Identified implements deltaxds.Clients.
func (c *clients) Identified(client deltaxds.Client, metadata *structpb.Struct) {
	envoy := serving.Envoy{
		Stream: client.Stream, Node: client.Node,
		IP: serving.IPOf(client.Peer.Address), AdminPort: serving.AdminPort(metadata),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.envoys[client.Peer.Address] = envoy
}

// Accepted implements deltaxds.Clients: the client acknowledged all of a snapshot.
func (c *clients) Accepted(client deltaxds.Client, version string) {
	if snap := c.publisher.snapshot(client.Peer.ID); snap.Version() == version {
		c.confirmer.Acknowledged(c.envoy(client.Peer), snap)
	}
	c.publisher.heard(client.Peer.ID)
}

// Refused implements deltaxds.Clients.
func (c *clients) Refused(client deltaxds.Client) { c.publisher.heard(client.Peer.ID) }

// Left implements deltaxds.Clients.
func (c *clients) Left(client deltaxds.Client) {
	c.confirmer.Forget(client.Stream)
	c.mu.Lock()
	if c.envoys[client.Peer.Address].Stream == client.Stream {
		delete(c.envoys, client.Peer.Address)
	}
	c.mu.Unlock()
	c.publisher.heard(client.Peer.ID)
}

func (c *clients) envoy(peer deltaxds.Peer) serving.Envoy {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.envoys[peer.Address]
}

// warm holds back what leads to clusters until the client has them ready.
func (c *clients) warm(ctx context.Context, peer deltaxds.Peer, _ string, clusters []string) <-chan error {
	return c.gate.Warm(ctx, c.envoy(peer), clusters)
}

// nodes is what the Envoys of canaries say, for the stage.
func (c *clients) nodes(streams []deltaxds.StreamStatus, canaries map[spiffeid.ID]bool) []stage.Node {
	var nodes []stage.Node
	for _, s := range streams {
		if !canaries[s.SPIFFEID] {
			continue
		}
		result := c.confirmer.Result(s.Stream)
		nodes = append(nodes, stage.Node{
			ID: s.SPIFFEID, Name: s.Node, Version: s.Version, Refused: refusal(s),
			Accepted: s.Accepted && result.Version == s.Version && result.State != serving.Awaited,
		})
	}
	return nodes
}

// refusal is why an Envoy refused something of what it is being brought to.
func refusal(s deltaxds.StreamStatus) string {
	for _, t := range s.Types {
		for _, p := range t.Parked {
			return p.Name + ": " + p.Message
		}
	}
	return ""
}

// serving is what the Envoys answered, by stream.
func (c *clients) serving(streams []deltaxds.StreamStatus) map[uint64]admin.Serving {
	all := make(map[uint64]admin.Serving, len(streams))
	for _, s := range streams {
		if r := c.confirmer.Result(s.Stream); r.State != "" {
			all[s.Stream] = admin.Serving{State: string(r.State), Version: r.Version, How: r.How, Detail: r.Detail, At: r.At}
		}
	}
	return all
}
