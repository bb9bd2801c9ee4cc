package deltaxds

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

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
	options  options
	now      time.Time
	silent   bool // it does not say what it refuses
	question int  // about warm clusters, not yet answered; 0: none
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

func newClient(t *testing.T, snap *snapshot.Snapshot, o options) *client {
	c := &client{t: t, server: newStream(snap, o), types: map[string]*clientType{}, snapshot: snap, options: o, now: testTime}
	for _, url := range additions {
		c.types[url] = &clientType{names: map[string]bool{}, has: map[string]string{}, absent: map[string]bool{}, asked: map[string]bool{}, refused: map[string]string{}}
	}
	return c
}

func (c *client) send(url string, req *discoveryv3.DeltaDiscoveryRequest) {
	c.t.Helper()
	req.TypeUrl = url
	if _, err := c.server.request(req, c.now); err != nil {
		c.t.Fatal(err)
	}
	c.deliver()
}

// deliver takes what the server sends. A second response of a type before the
// first was answered breaks the flow control.
func (c *client) deliver() {
	c.t.Helper()
	for resp := c.server.next(c.now); resp != nil; resp = c.server.next(c.now) {
		ct := c.types[resp.GetTypeUrl()]
		if ct.unacked != nil {
			c.t.Fatalf("second response for %s while one is not acknowledged", resp.GetTypeUrl())
		}
		ct.unacked = resp
	}
	if _, question := c.server.question(); question > 0 {
		c.question = question
	}
}

// warm ends the wait for clusters, in good or with a failure.
func (c *client) warm(failure string) {
	c.t.Helper()
	if c.question == 0 {
		return
	}
	c.server.gate.answer(c.question, failure)
	c.question = 0
	c.deliver()
}

// wait lets time pass.
func (c *client) wait(d time.Duration) {
	c.t.Helper()
	c.now = c.now.Add(d)
	c.deliver()
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
			if ack.GetErrorDetail() == nil {
				ack.ErrorDetail = &statuspb.Status{Message: "bad resource(s)"}
			}
			if !c.silent {
				ack.ErrorDetail.Message += " " + r.GetName() + ": refused,"
			}
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

// forget has the client lose a resource and ask for it anew.
func (c *client) forget(url, name string) {
	c.t.Helper()
	if ct := c.types[url]; ct.begun && ct.names[name] {
		ct.forget(name)
		c.subscribe(url, name)
	}
}

// reconnect opens a new stream and says on it what the client has, as Envoy
// does; one that was restarted has nothing.
func (c *client) reconnect(restarted bool) {
	c.t.Helper()
	o := c.options
	o.parked = c.server.refused()
	c.server, c.question = newStream(c.snapshot, o), 0
	for _, url := range additions {
		ct := c.types[url]
		if restarted {
			ct.has = map[string]string{}
		}
		if !ct.begun {
			continue
		}
		names := slices.Sorted(maps.Keys(ct.names))
		if ct.wildcard {
			names = append(names, wildcard)
		}
		ct.unacked, ct.begun = nil, false
		ct.absent, ct.asked = map[string]bool{}, map[string]bool{}
		maps.DeleteFunc(ct.refused, func(name, _ string) bool { return len(ct.has) == 0 || ct.names[name] && ct.has[name] == "" })
		if len(names) == 0 {
			ct.refused = map[string]string{}
			continue // nothing wanted: Envoy says nothing
		}
		c.subscribe(url, names...)
	}
}

// settle answers everything and lets all delays pass.
func (c *client) settle() {
	c.t.Helper()
	for busy := true; busy; {
		busy = c.question != 0
		c.warm("")
		for _, url := range additions {
			if c.types[url].unacked != nil {
				c.answer(url, nil)
				busy = true
			}
		}
		if wake := c.server.wake(); !busy && !wake.IsZero() {
			c.now, busy = wake, true
			c.deliver()
		}
	}
}

// check states the promise to a client that has settled: it has exactly what it
// asked for, or was told that it does not exist.
func (c *client) check(trace func() string) {
	c.t.Helper()
	kept := c.server.clinging()
	for url, ct := range c.types {
		if !ct.begun {
			continue
		}
		resources := resourcesOf(c.snapshot, url)
		for name := range ct.names {
			if _, exists := resources[name]; !exists && !ct.absent[name] && !kept.has(url, name) {
				c.t.Fatalf("%s %s: not told that it does not exist\n%s", url, name, trace())
			}
		}
		for name, r := range resources {
			if (ct.wildcard || ct.names[name]) && ct.has[name] != r.Version && ct.refused[name] != r.Version && !c.isHeld(url, name) {
				c.t.Fatalf("%s %s: has version %q, wants %q\n%s", url, name, ct.has[name], r.Version, trace())
			}
		}
		for name := range ct.has {
			if _, exists := resources[name]; !exists && !kept.has(url, name) {
				c.t.Fatalf("%s %s: vanished, and the client still has it\n%s", url, name, trace())
			}
		}
		for name := range ct.asked {
			if _, exists := resources[name]; exists || !kept.has(url, name) {
				c.t.Fatalf("%s %s: asked for and never answered\n%s", url, name, trace())
			}
		}
		c.checkBook(url, ct, trace)
	}
}

// checkBook compares what the server believes with what the client has.
func (c *client) checkBook(url string, ct *clientType, trace func() string) {
	c.t.Helper()
	sub := c.server.types[url]
	if sub.wildcard != ct.wildcard || sub.subscribed != len(ct.names) {
		c.t.Fatalf("%s: the server sees wildcard %t and %d names, not %t and %d\n%s", url, sub.wildcard, sub.subscribed, ct.wildcard, len(ct.names), trace())
	}
	for name, e := range sub.all() {
		if e.named != ct.names[name] {
			c.t.Fatalf("%s %s: subscribed = %t\n%s", url, name, e.named, trace())
		}
		if _, parked := sub.parked[name]; !parked && e.has() && e.version != ct.has[name] {
			c.t.Fatalf("%s %s: the server believes in %q, the client has %q\n%s", url, name, e.version, ct.has[name], trace())
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
// answers, snapshots, losses, reconnections and times in random order.
func TestNoClientMissesAResource(t *testing.T) {
	names := allNames()
	for seed := range uint64(700) {
		r := rand.New(rand.NewPCG(seed, 1))
		var log []string
		c := newClient(t, randomMesh(r).snapshot(t), options{drain: time.Duration(r.IntN(2)) * 5 * time.Second, warm: r.IntN(2) == 0})
		note := func(format string, a ...any) { log = append(log, fmt.Sprintf(format, a...)) }
		trace := func() string { return fmt.Sprintf("seed %d: %q", seed, log) }
		for range 3 {
			for range 25 {
				step(c, r, names, note)
			}
			c.settle()
			c.check(trace)
			for url, sub := range c.server.types { // whatever the books' form is, they say the same
				if r.IntN(2) == 0 {
					note("rebase %s", url)
					sub.limit = -1
				}
			}
			c.server.fold()
			c.check(trace)
		}
	}
}

func step(c *client, r *rand.Rand, names []string, note func(string, ...any)) {
	c.t.Helper()
	url, name := additions[r.IntN(len(additions))], names[r.IntN(len(names))]
	switch op := r.IntN(17); op {
	case 0, 1, 2:
		note("subscribe %s %s", url, name)
		c.subscribe(url, name)
	case 3:
		note("subscribe %s *", url)
		c.subscribe(url, wildcard)
	case 4:
		note("unsubscribe %s %s", url, name)
		c.unsubscribe(url, name)
	case 5:
		note("unsubscribe %s *", url)
		c.unsubscribe(url, wildcard)
	case 6, 7, 8:
		note("ack %s", url)
		c.answer(url, nil)
	case 9:
		c.silent = r.IntN(2) == 0
		note("nack %s, silent: %t", url, c.silent)
		c.answer(url, func(string) bool { return r.IntN(4) == 0 })
	case 10, 11:
		note("publish")
		c.publish(randomMesh(r).snapshot(c.t))
	case 12:
		note("forget %s %s", url, name)
		c.forget(url, name)
	case 13:
		note("wait")
		c.wait(time.Duration(r.IntN(4)) * time.Second)
	case 14:
		note("warm")
		c.warm([]string{"", "no answer"}[r.IntN(2)])
	case 15:
		note("settle")
		c.settle()
	case 16:
		restarted := r.IntN(3) == 0
		note("reconnect, restarted: %t", restarted)
		c.reconnect(restarted)
	}
}
