package deltaxds

import (
	"math/rand/v2"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
)

// requests makes random requests: mostly such as a client might send, in any
// order, and some that none would.
type requests struct {
	rand  *rand.Rand
	names []string
	types []string
}

func newRequests(seed uint64) *requests {
	return &requests{
		rand:  rand.New(rand.NewPCG(seed, 4)),
		names: append(allNames(), wildcard, "", "\xff"),
		types: append(append([]string{}, additions...), "other", "type.googleapis.com/"),
	}
}

func (r *requests) pick() (names []string) {
	for range r.rand.IntN(4) {
		names = append(names, r.names[r.rand.IntN(len(r.names))])
	}
	return names
}

func (r *requests) next(s *stream) *discoveryv3.DeltaDiscoveryRequest {
	req := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.types[r.rand.IntN(len(r.types))]}
	if sub, ok := s.types[req.GetTypeUrl()]; ok && sub.inflight != nil && r.rand.IntN(4) > 0 {
		req.ResponseNonce = sub.inflight.nonce
	}
	switch r.rand.IntN(6) {
	case 0:
		req.ResourceNamesSubscribe = r.pick()
	case 1:
		req.ResourceNamesUnsubscribe = r.pick()
	case 2:
		req.ErrorDetail = &statuspb.Status{Message: "no: " + r.names[r.rand.IntN(len(r.names))]}
	case 3:
		req.InitialResourceVersions = map[string]string{}
		for _, name := range r.pick() {
			version := "old"
			if res := s.target.Get(req.GetTypeUrl(), name); res != nil && r.rand.IntN(2) == 0 {
				version = res.Version
			}
			req.InitialResourceVersions[name] = version
		}
		req.ResourceNamesSubscribe = r.pick()
	}
	return req
}
