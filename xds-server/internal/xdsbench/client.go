package xdsbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
)

// client is a simulated Envoy on one delta ADS stream. It asks as Envoy does:
// clusters and listeners by wildcard; endpoints, routes and filter configuration
// by name as the resources that it got lead to them; scopes by wildcard. It
// acknowledges everything at once, after the requests that a response caused,
// but for one thing that Envoy does: once it has listeners, an Envoy acknowledges
// clusters only when they are warm, which those with endpoints from ADS are when
// endpoints came after the cluster.
type client struct {
	node      string
	directory *directory
	acked     func(k kind, updated []int, at time.Time) // nil: nobody asks
	asked     [kinds]bits
	has       [kinds]bits
	wild      [kinds]bool
	cold      bits // endpoints that clusters wait for
	colds     int  // how many
	withheld  []answer

	counts counts
}

// counts may be read while the client runs.
type counts struct {
	bytes     atomic.Int64 // of responses
	responses atomic.Int64
	resources atomic.Int64
	has       [kinds]atomic.Int64 // resources that the client has
}

// run holds the stream until ctx ends; any other end is an error.
func (c *client) run(ctx context.Context, conn *grpc.ClientConn) error {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{StreamName: "DeltaAggregatedResources", ClientStreams: true, ServerStreams: true},
		"/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", grpc.ForceCodecV2(codec{}))
	if err != nil {
		return fmt.Errorf("open a stream: %w", err)
	}
	if err = c.serve(stream); ctx.Err() == nil {
		return err
	}
	return nil // that is how a stream ends
}

func (c *client) serve(stream grpc.ClientStream) error {
	first := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURLs[clusters], Node: &corev3.Node{Id: c.node, Cluster: "bench"}}
	if err := stream.SendMsg(first); err != nil {
		return fmt.Errorf("send the first request: %w", err)
	}
	if err := c.ask(stream, lead{listeners, wildcard}); err != nil {
		return err
	}
	a := &answer{directory: c.directory}
	for {
		if err := stream.RecvMsg(a); err != nil {
			if errors.Is(err, io.EOF) {
				return errors.New("the server ended the stream")
			}
			return fmt.Errorf("receive: %w", err)
		}
		if err := c.take(stream, a); err != nil {
			return err
		}
	}
}

// take applies a response: first the requests that follow from it, then the ACK.
func (c *client) take(stream grpc.ClientStream, a *answer) error {
	if !a.known {
		return c.acknowledge(stream, a)
	}
	if err := c.follow(stream, a); err != nil {
		return err
	}
	c.warm(a)
	c.count(a)
	if a.kind == clusters && c.colds > 0 {
		c.withheld = append(c.withheld, a.kept())
		return nil
	}
	if err := c.acknowledge(stream, a); err != nil || c.colds > 0 {
		return err
	}
	for i := range c.withheld {
		if err := c.acknowledge(stream, &c.withheld[i]); err != nil {
			return err
		}
	}
	c.withheld = c.withheld[:0]
	return nil
}

func (c *client) acknowledge(stream grpc.ClientStream, a *answer) error {
	if err := stream.SendMsg(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: a.url, ResponseNonce: a.nonce}); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	if c.acked != nil && a.known {
		c.acked(a.kind, a.updated, time.Now())
	}
	return nil
}

// warm notes which clusters wait for their endpoints.
func (c *client) warm(a *answer) {
	switch a.kind {
	case clusters:
		if c.counts.has[listeners].Load() > 0 {
			for _, leads := range a.fresh {
				c.chill(leads)
			}
		}
		for _, n := range a.removed {
			c.settle(c.directory.last(clusters, n))
		}
	case endpoints:
		for _, n := range slices.Concat(a.updated, a.removed) {
			c.warmed(n)
		}
	}
}

func (c *client) chill(leads []lead) {
	for _, l := range leads {
		if c.cold.set(c.directory.number(l.kind, []byte(l.name))) {
			c.colds++
		}
	}
}

func (c *client) settle(leads []lead) {
	for _, l := range leads {
		c.warmed(c.directory.number(l.kind, []byte(l.name)))
	}
}

func (c *client) warmed(assignment int) {
	if c.cold.clear(assignment) {
		c.colds--
	}
}

func (c *client) count(a *answer) {
	c.counts.bytes.Add(int64(a.bytes))
	c.counts.responses.Add(1)
	c.counts.resources.Add(int64(len(a.updated)))
	for _, n := range a.updated {
		if c.has[a.kind].set(n) {
			c.counts.has[a.kind].Add(1)
		}
	}
	for _, n := range a.removed {
		if c.has[a.kind].clear(n) {
			c.counts.has[a.kind].Add(-1)
		}
	}
}

// follow asks for what new resources lead to, and no more for what removed ones
// led to.
func (c *client) follow(stream grpc.ClientStream, a *answer) error {
	var subscribe, unsubscribe [kinds][]string
	for _, leads := range a.fresh {
		for _, l := range leads {
			if l.name == wildcard {
				if err := c.ask(stream, l); err != nil {
					return err
				}
			} else if c.asked[l.kind].set(c.directory.number(l.kind, []byte(l.name))) {
				subscribe[l.kind] = append(subscribe[l.kind], l.name)
			}
		}
	}
	for _, n := range a.removed {
		for _, l := range c.directory.last(a.kind, n) {
			if l.name != wildcard && c.asked[l.kind].clear(c.directory.number(l.kind, []byte(l.name))) {
				unsubscribe[l.kind] = append(unsubscribe[l.kind], l.name)
			}
		}
	}
	for k := range subscribe {
		if len(subscribe[k])+len(unsubscribe[k]) == 0 {
			continue
		}
		err := stream.SendMsg(&discoveryv3.DeltaDiscoveryRequest{
			TypeUrl: typeURLs[k], ResourceNamesSubscribe: subscribe[k], ResourceNamesUnsubscribe: unsubscribe[k],
		})
		if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	return nil
}

// ask subscribes to all of a type, once. Envoy does so with an empty request.
func (c *client) ask(stream grpc.ClientStream, l lead) error {
	if c.wild[l.kind] {
		return nil
	}
	c.wild[l.kind] = true
	if err := stream.SendMsg(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURLs[l.kind]}); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

// bits is a set of small numbers.
type bits []uint64

// set puts n in and reports whether it was not there.
func (b *bits) set(n int) bool {
	for n/64 >= len(*b) {
		*b = append(*b, 0)
	}
	word, bit := &(*b)[n/64], uint64(1)<<(n%64)
	was := *word&bit != 0
	*word |= bit
	return !was
}

// clear takes n out and reports whether it was there.
func (b *bits) clear(n int) bool {
	if n/64 >= len(*b) {
		return false
	}
	word, bit := &(*b)[n/64], uint64(1)<<(n%64)
	was := *word&bit != 0
	*word &^= bit
	return was
}
