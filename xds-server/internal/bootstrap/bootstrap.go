// Package bootstrap writes the static part of an Envoy's configuration: where
// its identity comes from (SDS on the Workload API socket) and where the rest
// of its configuration comes from (delta ADS over mTLS). It is pure: values in,
// YAML out.
package bootstrap

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"text/template"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/serving"
)

//go:embed bootstrap.yaml.tmpl
var source string

// document quotes every value as a JSON string, which YAML reads as is, so that
// no value can add a line of its own.
var document = template.Must(template.New("bootstrap").Funcs(template.FuncMap{"quote": quote}).Parse(source))

// Config is what differs between one Envoy and the next.
type Config struct {
	NodeID      string         // node.id: a name for people; the xds-server trusts Envoy's SPIFFE ID, never this
	NodeCluster string         // node.cluster: the group of Envoys that share a configuration
	Admin       netip.AddrPort // Envoy's own administration interface
	XDS         netip.AddrPort // the xds-server's delta ADS listener
	Socket      string         // path of the Unix socket that serves SDS (and the Workload API)
	Envoy       spiffeid.ID    // the identity that this Envoy proves
	XDSServer   spiffeid.ID    // the only identity from which it takes configuration
	MaxHeap     uint64         // bytes of heap at which Envoy stops taking requests; 0: DefaultMaxHeap
	// MaxConnections bounds the downstream connections of the whole process;
	// 0: DefaultMaxConnections.
	MaxConnections uint64
}

// Defaults of the overload manager.
const (
	DefaultMaxHeap        uint64 = 2 << 30
	DefaultMaxConnections uint64 = 50_000
)

// maxSocketPath is what sockaddr_un holds on Linux, less its closing NUL.
const maxSocketPath = 107

// YAML returns the bootstrap document. The error says which value is missing or
// cannot be used.
func (c Config) YAML() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("envoy bootstrap: %w", err)
	}
	if c.MaxHeap == 0 {
		c.MaxHeap = DefaultMaxHeap
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	var out bytes.Buffer
	if err := document.Execute(&out, c); err != nil {
		return nil, fmt.Errorf("envoy bootstrap: %w", err)
	}
	return out.Bytes(), nil
}

func (c Config) check() error {
	switch {
	case c.NodeID == "" || c.NodeCluster == "":
		return errors.New("node id and cluster must be set")
	case !c.Admin.IsValid():
		return errors.New("the admin address must be IP:PORT")
	case !c.XDS.IsValid() || c.XDS.Port() == 0:
		return errors.New("the xDS address must be IP:PORT with a port")
	case !strings.HasPrefix(c.Socket, "/"):
		return fmt.Errorf("socket path %q must be absolute", c.Socket)
	case len(c.Socket) > maxSocketPath:
		return fmt.Errorf("socket path %q has %d bytes, a Unix socket takes at most %d", c.Socket, len(c.Socket), maxSocketPath)
	case c.Envoy.IsZero() || c.XDSServer.IsZero():
		return errors.New("the SPIFFE IDs of Envoy and of the xds-server must be set")
	case c.Envoy.TrustDomain() != c.XDSServer.TrustDomain():
		return fmt.Errorf("%s and %s are of different trust domains", c.Envoy, c.XDSServer)
	}
	return nil
}

// AdminKey is the field of node.metadata with AdminPort.
func (Config) AdminKey() string { return serving.MetadataKey }

// AdminPort is the port of the admin interface if the xds-server can reach it at
// the address that Envoy connects to it from; 0 if not.
func (c Config) AdminPort() uint16 {
	if c.Admin.Addr().IsLoopback() && c.Admin.Addr() != c.XDS.Addr() {
		return 0 // a connection to elsewhere does not come from loopback
	}
	return c.Admin.Port()
}

// TrustDomain is the SDS name of the bundle, as SPIRE names it: spiffe://td.
func (c Config) TrustDomain() string { return c.Envoy.TrustDomain().IDString() }

func quote(v any) (string, error) {
	b, err := json.Marshal(fmt.Sprint(v))
	return string(b), err
}
