package serving

import (
	"net/netip"

	"google.golang.org/protobuf/types/known/structpb"
)

// Envoy is a connected Envoy and where it can be asked.
type Envoy struct {
	Stream uint64 // number of its stream, which no other has
	Node   string // node.id as it claims it
	// IP is where it connects from; invalid if that is no IP address.
	IP netip.Addr
	// AdminPort is where it says that its admin interface is; 0: it does not say.
	AdminPort uint16
}

// admin is where the Envoy's admin interface is, if it says so.
func (e Envoy) admin() (netip.AddrPort, bool) {
	return netip.AddrPortFrom(e.IP, e.AdminPort), e.IP.IsValid() && e.AdminPort != 0
}

// IPOf is the IP address of a connection's remote address, host:port; invalid if
// it is none.
func IPOf(address string) netip.Addr {
	remote, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Addr{}
	}
	return remote.Addr().Unmap()
}

// AdminPort reads the port of the admin interface from a node's metadata; 0 if
// there is none that can be.
func AdminPort(metadata *structpb.Struct) uint16 {
	port := metadata.GetFields()[MetadataKey].GetNumberValue()
	if port < 1 || port > 65535 || port != float64(uint16(port)) {
		return 0
	}
	return uint16(port)
}
