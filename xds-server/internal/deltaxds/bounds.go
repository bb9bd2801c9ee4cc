package deltaxds

import (
	"errors"
	"fmt"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// Bounds on what one stream may make the server remember.
const (
	maxTypes = 32
	maxNames = 1 << 17
	maxName  = 4096 // bytes
)

// admit checks the first request of a type.
func (s *stream) admit(req *discoveryv3.DeltaDiscoveryRequest) error {
	switch {
	case req.GetTypeUrl() == "":
		return errors.New("a request on an aggregated stream must name its type_url")
	case len(req.GetTypeUrl()) > maxName:
		return fmt.Errorf("type_url of %d bytes is above the limit of %d", len(req.GetTypeUrl()), maxName)
	case len(s.types) >= maxTypes:
		return fmt.Errorf("more than %d resource types on one stream", maxTypes)
	case len(req.GetInitialResourceVersions()) > maxNames:
		return fmt.Errorf("more than %d initial resource versions", maxNames)
	}
	for name, version := range req.GetInitialResourceVersions() {
		if n := max(len(name), len(version)); n > maxName {
			return fmt.Errorf("resource name or version of %d bytes is above the limit of %d", n, maxName)
		}
	}
	return nil
}

// checkNames checks what a request adds to the names that are held.
func checkNames(req *discoveryv3.DeltaDiscoveryRequest, held int) error {
	if held+len(req.GetResourceNamesSubscribe()) > 2*maxNames {
		return fmt.Errorf("subscriptions to more than %d resources on one stream", maxNames)
	}
	for _, name := range req.GetResourceNamesSubscribe() {
		if len(name) > maxName {
			return fmt.Errorf("resource name of %d bytes is above the limit of %d", len(name), maxName)
		}
	}
	return nil
}
