package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"

	"github.com/weirmesh/weir/xds-server/internal/loadgen"
)

// workloadRotations is how often SVIDs are replaced under load, each after three
// seconds.
const workloadRotations = 5

// TestWorkloadCertificatesRotate gives SVIDs a life of a few seconds while
// clients come over mTLS and Envoy goes to a model over mTLS. The stream of
// configuration is renewed with them, and changes go on.
func TestWorkloadCertificatesRotate(t *testing.T) {
	p := newPlane(t, "--svid-ttl", "6s", "--root-ttl", "1m")
	p.gatewayHas(t, fmt.Sprintf("    - {name: mtls, address: 127.0.0.1, port: %d, tls: {}}\n", p.second), "")
	p.write(t, "live.yaml", sole("live", "127.0.0.1:1")) // the upstream's identity comes from the server
	p.start(t)
	u := p.secureUpstream(t)
	written := func(i int) {
		p.write(t, "live.yaml", model("live", []version{{"v1", u.Address(), fmt.Sprintf("tls: {spiffeID: %q}", planeUpstream)}}, []int{100}, fmt.Sprintf("timeout: %ds", i+1)))
	}
	p.startEnvoy(t, p.xds)
	p.apply(t, func() { written(0) })
	source := p.identity(t, planeClient)
	l := startLoad(t, loadgen.Options{
		Address: loopback(p.second), Bodies: requestsFor("live"), TLS: tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(planeEnvoy)),
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := 1; i <= workloadRotations; i++ {
		if err := source.WaitUntilUpdated(ctx); err != nil {
			t.Fatal(err)
		}
		p.apply(t, func() { written(i) })
	}
	// Envoy shows what was issued lately, and so do those that it reaches.
	conn, err := tls.Dial("tcp", loopback(p.second), tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(planeEnvoy)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if left := time.Until(conn.ConnectionState().PeerCertificates[0].NotAfter); left <= 0 || left > 6*time.Second {
		t.Errorf("Envoy's SVID ends in %s", left)
	}
	l.end()
}
