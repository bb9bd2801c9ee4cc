package up

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// socket is an address that one of the programs will listen on.
type socket struct {
	what    string
	address netip.AddrPort
	mend    string // how the user picks another
}

func sockets(plan Plan, ports Ports) []socket {
	all := []socket{
		{"the xds-server's delta ADS", ports.XDS, "--xds-address"},
		{"the xds-server's admin interface", ports.Admin, "--admin-address"},
		{"Envoy's admin interface", ports.EnvoyAdmin, "--envoy-admin"},
		{"the inference-sidecar", ports.SidecarHTTP, "--sidecar-http and the endpoints of its Models"},
		{"the inference-sidecar's metrics", ports.SidecarMetrics, "--sidecar-metrics"},
	}
	for _, l := range plan.Listeners {
		all = append(all, socket{"listener " + l.Name, l.Address, "spec.listeners of its Gateway"})
	}
	return all
}

// checkFree fails when one of the addresses cannot be listened on, and names
// all that cannot. It asks before any program starts, so that the answer is one
// about addresses, not about the log of a program that ended.
func checkFree(all []socket) error {
	var taken []string
	for _, s := range all {
		l, err := net.Listen("tcp", s.address.String())
		if err != nil {
			taken = append(taken, fmt.Sprintf("%s for %s %s: stop what listens there, or change %s", s.address, s.what, reason(err), s.mend))
			continue
		}
		if err := l.Close(); err != nil {
			return fmt.Errorf("look whether %s is free: %w", s.address, err)
		}
	}
	if taken != nil {
		return fmt.Errorf("not all addresses can be had:\n  %s", strings.Join(taken, "\n  "))
	}
	return nil
}

func reason(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return "is in use"
	}
	return "cannot be used (" + err.Error() + ")"
}
