package deltaxds

import (
	"fmt"
	"math/rand/v2"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// client is a small model of the protocol's other side: it subscribes, keeps
// what it is sent, and answers. It knows nothing of the server's bookkeeping.
type client struct {
	t        *testing.T
	server   *stream
	types    map[string]*clientType
	snapshot *snapshot.Snapshot
}

type clientType struct {
	begun    bool
	wildcard bool
	names    map[string]bool
	has      map[string]string // name -> version
	absent   map[string]bool   // told that it does not exist
	asked    map[string]bool   // subscribed since the last answer for it
	refused  map[string]string // name -> version that it refused
	unacked  *discoveryv3.DeltaDiscoveryResponse
}

func newClient(t *testing.T, snap *snapshot.Snapshot) *client {
	c := &client{t: t, server: newStream(snap), types: map[string]*clientType{}, snapshot: snap}
	for _, url := range additions {
		c.types[url] = &clientType{names: map[string]bool{}, has: map[string]string{}, absent: map[string]bool{}, asked: map[string]bool{}, refused: map[string]string{}}
	}
	return c
}

func (c *client) send(url string, req *discoveryv3.DeltaDiscoveryRequest) {
	c.t.Helper()
	req.TypeUrl = url
	if _, err := c.server.request(req, testTime); err != nil {
		c.t.Fatal(err)
	}
	c.deliver()
}

// deliver takes what the server sends. A second response of a type before the
// first was answered breaks the flow control.
func (c *client) deliver() {
	c.t.Helper()
	for resp := c.server.next(testTime); resp != nil; resp = c.server.next(testTime) {
		ct := c.types[resp.GetTypeUrl()]
		if ct.unacked != nil {
			c.t.Fatalf("second response for %s while one is not acknowledged", resp.GetTypeUrl())
		}
		ct.unacked = resp
	}
}

// answer applies the response that waits and acknowledges it, or refuses one of
// its resources by name.
func (c *client) answer(url string, refuse func(name string) bool) {
	c.t.Helper()
	ct := c.types[url]
	resp := ct.unacked
	if resp == nil {
		return
	}
	ct.unacked = nil
	ack := &discoveryv3.DeltaDiscoveryRequest{ResponseNonce: resp.GetNonce()}
	for _, r := range resp.GetResources() {
		delete(ct.asked, r.GetName())
		if !ct.names[r.GetName()] && !ct.wildcard {
			continue // unsubscribed while the response was on its way
		}
		if refuse != nil && refuse(r.GetName()) {
			ct.refused[r.GetName()] = r.GetVersion()
			ack.ErrorDetail = &statuspb.Status{Message: "bad resource(s) " + r.GetName() + ": refused"}
			continue
		}
		delete(ct.refused, r.GetName())
		delete(ct.absent, r.GetName())
		ct.has[r.GetName()] = r.GetVersion()
	}
	for _, name := range resp.GetRemovedResources() {
		delete(ct.asked, name)
		delete(ct.has, name)
		delete(ct.refused, name)
		ct.absent[name] = true
	}
	c.send(url, ack)
}

func (c *client) subscribe(url string, names ...string) {
	c.t.Helper()
	ct := c.types[url]
	req := &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: names}
	if !ct.begun {
		req.InitialResourceVersions = ct.has
		ct.wildcard = len(names) == 0
	}
	for _, name := range names {
		if name == wildcard {
			ct.wildcard = true
			continue
		}
		ct.names[name] = true
		if _, kept := ct.has[name]; ct.begun || !kept || url == snapshot.EndpointType {
			ct.asked[name] = true
		}
	}
	ct.begun = true
	c.send(url, req)
}

func (c *client) unsubscribe(url string, name string) {
	c.t.Helper()
	ct := c.types[url]
	if !ct.begun {
		return
	}
	if name == wildcard {
		ct.wildcard = false
		for _, name := range allNames() {
			if !ct.names[name] {
				ct.forget(name)
			}
		}
	} else {
		delete(ct.names, name)
		delete(ct.absent, name)
		if !ct.wildcard {
			ct.forget(name)
		}
	}
	c.send(url, &discoveryv3.DeltaDiscoveryRequest{ResourceNamesUnsubscribe: []string{name}})
}

func (ct *clientType) forget(name string) {
	delete(ct.has, name)
	delete(ct.asked, name)
	delete(ct.absent, name)
	delete(ct.refused, name)
}

func (c *client) publish(snap *snapshot.Snapshot) {
	c.t.Helper()
	c.server.publish(snap, c.snapshot, snapshot.Diff(c.snapshot, snap))
	c.snapshot = snap
	c.deliver()
}

// reconnect opens a new stream and says on it what the client has, as Envoy does.
func (c *client) reconnect() {
	c.t.Helper()
	c.server = newStream(c.snapshot)
	for _, url := range additions {
		ct := c.types[url]
		if !ct.begun {
			continue
		}
		var names []string
		for name := range ct.names {
			names = append(names, name)
		}
		if ct.wildcard {
			names = append(names, wildcard)
		}
		ct.unacked, ct.begun = nil, false
		ct.absent, ct.asked, ct.refused = map[string]bool{}, map[string]bool{}, map[string]string{}
		if len(names) == 0 {
			continue // nothing wanted: Envoy says nothing
		}
		c.subscribe(url, names...)
	}
}

// settle answers everything, and then states the promise: the client has exactly
// what it asked for, or was told that it does not exist.
func (c *client) settle(trace func() string) {
	c.t.Helper()
	for busy := true; busy; {
		busy = false
		for _, url := range additions {
			if c.types[url].unacked != nil {
				c.answer(url, nil)
				busy = true
			}
		}
	}
	for url, ct := range c.types {
		if !ct.begun {
			continue
		}
		resources := resourcesOf(c.snapshot, url)
		for name := range ct.names {
			r, exists := resources[name]
			switch {
			case !exists && !ct.absent[name] && !c.server.clinging():
				c.t.Fatalf("%s %s: not told that it does not exist\n%s", url, name, trace())
			case exists && ct.has[name] != r.Version && ct.refused[name] != r.Version && !c.isHeld(url, name):
				c.t.Fatalf("%s %s: has version %q, wants %q\n%s", url, name, ct.has[name], r.Version, trace())
			}
		}
		for name, r := range resources {
			if ct.wildcard && ct.has[name] != r.Version && ct.refused[name] != r.Version && !c.isHeld(url, name) {
				c.t.Fatalf("%s %s by wildcard: has %q, wants %q\n%s", url, name, ct.has[name], r.Version, trace())
			}
		}
		for name := range ct.has {
			if _, exists := resources[name]; !exists && !c.server.clinging() {
				c.t.Fatalf("%s %s: vanished, and the client still has it\n%s", url, name, trace())
			}
		}
		for name := range ct.asked {
			if _, exists := resources[name]; !exists && c.server.clinging() {
				continue
			}
			c.t.Fatalf("%s %s: asked for and never answered\n%s", url, name, trace())
		}
	}
}

func (c *client) isHeld(url, name string) bool {
	sub, ok := c.server.types[url]
	if !ok {
		return false
	}
	_, held := sub.held[name]
	return held
}

// TestNoClientMissesAResource drives the state machine with random requests,
// answers, snapshots and reconnections in random order.
func TestNoClientMissesAResource(t *testing.T) {
	names := allNames()
	for seed := range uint64(700) {
		r := rand.New(rand.NewPCG(seed, 1))
		var log []string
		c := newClient(t, randomMesh(r).snapshot(t))
		for range 60 {
			url := additions[r.IntN(len(additions))]
			name := names[r.IntN(len(names))]
			switch op := r.IntN(12); op {
			case 0, 1, 2:
				log = append(log, fmt.Sprintf("subscribe %s %s", url, name))
				c.subscribe(url, name)
			case 3:
				log = append(log, fmt.Sprintf("subscribe %s *", url))
				c.subscribe(url, wildcard)
			case 4:
				log = append(log, fmt.Sprintf("unsubscribe %s %s", url, name))
				c.unsubscribe(url, name)
			case 5:
				log = append(log, fmt.Sprintf("unsubscribe %s *", url))
				c.unsubscribe(url, wildcard)
			case 6, 7, 8:
				log = append(log, "ack "+url)
				c.answer(url, nil)
			case 9:
				log = append(log, "nack "+url)
				c.answer(url, func(string) bool { return r.IntN(4) == 0 })
			case 10:
				log = append(log, "publish")
				c.publish(randomMesh(r).snapshot(t))
			case 11:
				log = append(log, "reconnect")
				c.reconnect()
			}
		}
		c.settle(func() string { return fmt.Sprintf("seed %d: %q", seed, log) })
	}
}
