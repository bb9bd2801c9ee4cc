package deltaxds

import (
	"slices"
	"sync"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Bounds on what is remembered of clients that are not connected.
const (
	maxParkedNodes = 1024 // of one identity
	maxParkedNames = 1024 // of one client
)

// parking remembers, across streams, what each client refused: by its proved
// identity and the node ID that it claims. It is safe for concurrent use.
type parking struct {
	mu    sync.Mutex
	nodes map[spiffeid.ID]map[string]*parkedNode
	tick  uint64
}

type parkedNode struct {
	byType map[string][]Parked
	saved  uint64 // tick
}

func newParking() *parking {
	return &parking{nodes: make(map[spiffeid.ID]map[string]*parkedNode)}
}

// recall returns what a client has refused, by type. It is the caller's to keep.
func (p *parking) recall(id spiffeid.ID, node string) map[string][]Parked {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.nodes[id][node]
	if known == nil {
		return nil
	}
	byType := make(map[string][]Parked, len(known.byType))
	for url, refused := range known.byType {
		byType[url] = slices.Clone(refused)
	}
	return byType
}

// save replaces what a client has refused. Of too many clients of an identity
// the one that changed longest ago is forgotten.
func (p *parking) save(id spiffeid.ID, node string, byType map[string][]Parked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(byType) == 0 {
		delete(p.nodes[id], node)
		if len(p.nodes[id]) == 0 {
			delete(p.nodes, id)
		}
		return
	}
	if p.nodes[id] == nil {
		p.nodes[id] = make(map[string]*parkedNode)
	}
	p.tick++
	p.nodes[id][node] = &parkedNode{byType: byType, saved: p.tick}
	if len(p.nodes[id]) > maxParkedNodes {
		p.evict(p.nodes[id])
	}
}

func (p *parking) evict(nodes map[string]*parkedNode) {
	oldest, at := "", p.tick+1
	for node, known := range nodes {
		if known.saved < at {
			oldest, at = node, known.saved
		}
	}
	delete(nodes, oldest)
}

// retain forgets the clients whose identity is entitled to nothing any more.
func (p *parking) retain(entitled func(spiffeid.ID) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.nodes {
		if !entitled(id) {
			delete(p.nodes, id)
		}
	}
}

// refused returns what the client has refused, by type, on this stream and on
// earlier ones, to be remembered.
func (s *stream) refused() map[string][]Parked {
	byType := make(map[string][]Parked)
	left := maxParkedNames
	take := func(url string, refused []Parked) {
		if n := min(left, len(refused)); n > 0 {
			byType[url] = refused[:n:n]
			left -= n
		}
	}
	for url, earlier := range s.options.parked {
		take(url, earlier)
	}
	for url, sub := range s.types {
		parked := make([]Parked, 0, min(left, len(sub.parked)))
		for _, p := range sub.parked {
			if len(parked) == left {
				break
			}
			parked = append(parked, p)
		}
		take(url, parked)
	}
	return byType
}
