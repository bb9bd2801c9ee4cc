package sds

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
)

var secretType = "type.googleapis.com/" + string((&tlsv3.Secret{}).ProtoReflect().Descriptor().FullName())

// stream is the protocol state of one client: pure.
type stream struct {
	asked bool
	names []string
	node  *corev3.Node // of the first request; Envoy may leave it out later
	nonce uint64
	sent  string // version of the last response; empty: none
}

// request takes a request and reports whether it is a NACK, with its message.
// A request that answers an older response than the last is stale.
func (s *stream) request(req *discoveryv3.DiscoveryRequest) (rejected string, nack bool) {
	if s.node == nil {
		s.node = req.GetNode()
	}
	if s.sent != "" && req.GetResponseNonce() != strconv.FormatUint(s.nonce, 10) {
		return "", false
	}
	names := compact(req.GetResourceNames())
	if !s.asked || !slices.Equal(names, s.names) {
		s.sent = "" // answered again, even if nothing changed
	}
	s.asked, s.names = true, names
	detail := req.GetErrorDetail()
	return detail.GetMessage(), detail != nil
}

// respond returns the response for the update, or nil if the client has it
// already or refused it: a refused version waits until it changes.
func (s *stream) respond(u issue.Update) (*discoveryv3.DiscoveryResponse, error) {
	if !s.asked {
		return nil, nil
	}
	resp, err := response(u, s.names, s.node)
	if err != nil || resp.GetVersionInfo() == s.sent {
		return nil, err
	}
	s.nonce++
	s.sent, resp.Nonce = resp.GetVersionInfo(), strconv.FormatUint(s.nonce, 10)
	return resp, nil
}

// response answers a list of names; its version is a hash of its content.
func response(u issue.Update, names []string, node *corev3.Node) (*discoveryv3.DiscoveryResponse, error) {
	resources, err := secrets(u, names, knowsValidator(node))
	if err != nil {
		return nil, err
	}
	return &discoveryv3.DiscoveryResponse{TypeUrl: secretType, VersionInfo: contentVersion(resources), Resources: resources}, nil
}

func contentVersion(resources []*anypb.Any) string {
	sum := sha256.New()
	for _, r := range resources {
		encoded, _ := proto.Marshal(r) // two plain fields
		sum.Write(encoded)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
