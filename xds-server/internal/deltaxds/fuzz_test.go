package deltaxds

import (
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// FuzzRequests feeds a stream any requests, cut from the fuzzer's bytes: there
// is no panic, and never more than one response of a type without its answer.
func FuzzRequests(f *testing.F) {
	for _, req := range []*discoveryv3.DeltaDiscoveryRequest{
		{TypeUrl: snapshot.ClusterType},
		{TypeUrl: snapshot.EndpointType, ResourceNamesSubscribe: []string{"m@v1", "*", ""}},
		{TypeUrl: snapshot.ClusterType, ResponseNonce: "1", ResourceNamesUnsubscribe: []string{"*"}},
		{TypeUrl: "other", InitialResourceVersions: map[string]string{"a": "", "": "b"}},
	} {
		encoded, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{byte(len(encoded))}, encoded...))
	}
	snap, next := oneModel(0).snapshot(f), oneModel(1).snapshot(f)
	f.Fuzz(func(t *testing.T, script []byte) {
		s := newStream(snap, options{})
		for len(script) > 0 {
			n := min(int(script[0]), len(script)-1)
			req := &discoveryv3.DeltaDiscoveryRequest{}
			_ = proto.Unmarshal(script[1:1+n], req) // what could be read of it counts
			script = script[1+n:]
			if _, err := s.request(req, testTime); err != nil {
				return
			}
			drainBounded(t, s)
			if n%3 == 0 {
				publishTo(s, next)
			}
		}
	})
}

func drainBounded(t *testing.T, s *stream) {
	t.Helper()
	for i := 0; s.next(testTime) != nil; i++ {
		if i > maxTypes {
			t.Fatal("more responses than types without an answer")
		}
	}
}
