package e2e

import (
	"fmt"
	"testing"
)

// TestClustersReplacedUnderLoad replaces the cluster of a version by one with
// other endpoints, with and without TLS, and with and without a health check.
func TestClustersReplacedUnderLoad(t *testing.T) {
	u := upstream(t)
	p := startPlane(t, func(p *plane) {
		for _, name := range []string{"live", "steady"} {
			p.write(t, name+".yaml", sole(name, u.Address()))
		}
	})
	secure, other := p.secureUpstream(t), upstream(t)
	withTLS := fmt.Sprintf("tls: {spiffeID: %q}", planeUpstream)
	const checked = `healthCheck: {path: /v2/health/ready, interval: 1s}`
	l := p.loads(t, "live", "steady")
	for round := range 3 {
		for _, v := range []version{
			{"v1", other.Address(), ""},
			{"v1", secure.Address(), withTLS},
			{"v1", u.Address(), ""},
			{"v1", u.Address(), checked},
			{"v1", secure.Address(), withTLS + ", " + checked},
			{"v1", secure.Address(), withTLS},
			{"v1", other.Address(), fmt.Sprintf("connectTimeout: %ds", round+1)},
		} {
			p.apply(t, func() { p.write(t, "live.yaml", model("live", []version{v}, []int{100}, "")) })
			l.goOn(fmt.Sprintf("round %d, %v", round, v))
		}
	}
	l.end()
}
