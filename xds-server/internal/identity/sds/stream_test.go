package sds

import (
	"crypto/x509"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/proto"

	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
)

func bundleOnly(root string) issue.Update {
	bundle := x509bundle.New(spiffeid.RequireTrustDomainFromString("weir.test"))
	bundle.AddX509Authority(&x509.Certificate{Raw: []byte(root)})
	return issue.Update{Bundle: bundle}
}

func TestStreamSendsOnlyWhatChanged(t *testing.T) {
	var s stream
	if resp, err := s.respond(bundleOnly("a")); resp != nil || err != nil {
		t.Fatalf("answered before it was asked: %v, %v", resp, err)
	}
	s.request(&discoveryv3.DiscoveryRequest{ResourceNames: []string{"ROOTCA"}})
	first, err := s.respond(bundleOnly("a"))
	if err != nil || first == nil {
		t.Fatalf("first answer: %v, %v", first, err)
	}
	if resp, _ := s.respond(bundleOnly("a")); resp != nil {
		t.Fatal("sent again without a change")
	}
	s.request(&discoveryv3.DiscoveryRequest{ResourceNames: []string{"ROOTCA"}, ResponseNonce: first.GetNonce(), VersionInfo: first.GetVersionInfo()})
	if resp, _ := s.respond(bundleOnly("a")); resp != nil {
		t.Fatal("an ACK was answered")
	}
	second, err := s.respond(bundleOnly("b"))
	if err != nil || second == nil || second.GetVersionInfo() == first.GetVersionInfo() || second.GetNonce() == first.GetNonce() {
		t.Fatalf("a change gave %v, %v", second, err)
	}
	s.request(&discoveryv3.DiscoveryRequest{ResourceNames: []string{"spiffe://weir.test"}, ResponseNonce: first.GetNonce()})
	if resp, _ := s.respond(bundleOnly("b")); resp != nil {
		t.Fatal("a stale request was answered")
	}
}

// FuzzRequests feeds a stream any requests: there is no panic, and what is sent
// twice without a request between is never the same version.
func FuzzRequests(f *testing.F) {
	for _, req := range []*discoveryv3.DiscoveryRequest{
		{}, {ResourceNames: []string{"ROOTCA", "", "ALL"}}, {ResourceNames: []string{"default"}, ResponseNonce: "1"},
	} {
		encoded, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{byte(len(encoded))}, encoded...))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		var s stream
		for len(script) > 0 {
			n := min(int(script[0]), len(script)-1)
			req := &discoveryv3.DiscoveryRequest{}
			_ = proto.Unmarshal(script[1:1+n], req) // what could be read of it counts
			script = script[1+n:]
			s.request(req)
			if _, err := s.respond(bundleOnly("a")); err != nil {
				return
			}
			if resp, _ := s.respond(bundleOnly("a")); resp != nil {
				t.Fatal("the same version was sent twice")
			}
		}
	})
}
