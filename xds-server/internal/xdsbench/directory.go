package xdsbench

import (
	"fmt"
	"sync"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// wildcard asks for every resource of a type.
const wildcard = "*"

// lead is a resource that another makes an Envoy ask for.
type lead struct {
	kind kind
	name string
}

// directory gives every resource name of the process a number, and knows where
// each resource leads. All simulated clients share it, so that none keeps names
// or decodes what another has decoded.
type directory struct {
	types [kinds]struct {
		mu      sync.RWMutex
		numbers map[string]int
		entries []entry
	}
}

type entry struct {
	name    string
	version string // of the resource that leads was read from
	leads   []lead
}

func newDirectory() *directory {
	d := &directory{}
	for k := range d.types {
		d.types[k].numbers = map[string]int{}
	}
	return d
}

// number is that of a name, which may be new.
func (d *directory) number(k kind, name []byte) int {
	t := &d.types[k]
	t.mu.RLock()
	n, known := t.numbers[string(name)]
	t.mu.RUnlock()
	if known {
		return n
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, known = t.numbers[string(name)]; known {
		return n
	}
	n = len(t.entries)
	t.entries = append(t.entries, entry{name: string(name)})
	t.numbers[t.entries[n].name] = n
	return n
}

// name is the name with a number.
func (d *directory) name(k kind, n int) string {
	t := &d.types[k]
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.entries[n].name
}

// learn returns where a version of a resource leads; body is its encoded Any.
func (d *directory) learn(k kind, n int, version, body []byte) ([]lead, error) {
	t := &d.types[k]
	t.mu.RLock()
	e := t.entries[n]
	t.mu.RUnlock()
	if e.version != "" && e.version == string(version) {
		return e.leads, nil
	}
	leads, err := leadsOf(k, e.name, body)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", typeURLs[k], e.name, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries[n].version, t.entries[n].leads = string(version), leads
	return leads, nil
}

// last is where the version that was learnt last leads.
func (d *directory) last(k kind, n int) []lead {
	t := &d.types[k]
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.entries[n].leads
}

// leadsOf says what an Envoy asks for when it gets a resource.
func leadsOf(k kind, name string, body []byte) ([]lead, error) {
	switch k {
	case clusters:
		c := &clusterv3.Cluster{}
		err := open(body, c)
		if c.GetType() != clusterv3.Cluster_EDS {
			return nil, err
		}
		if service := c.GetEdsClusterConfig().GetServiceName(); service != "" {
			name = service
		}
		return []lead{{endpoints, name}}, err
	case scopes:
		s := &routev3.ScopedRouteConfiguration{}
		err := open(body, s)
		return []lead{{routes, s.GetRouteConfigurationName()}}, err
	case listeners:
		l := &listenerv3.Listener{}
		if err := open(body, l); err != nil {
			return nil, err
		}
		return ofListener(l)
	default:
		return nil, nil
	}
}

func ofListener(l *listenerv3.Listener) ([]lead, error) {
	var leads []lead
	for _, chain := range l.GetFilterChains() {
		for _, filter := range chain.GetFilters() {
			manager := &hcmv3.HttpConnectionManager{}
			if !filter.GetTypedConfig().MessageIs(manager) {
				continue
			}
			if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
				return nil, err
			}
			leads = append(leads, ofManager(manager)...)
		}
	}
	return leads, nil
}

func ofManager(manager *hcmv3.HttpConnectionManager) []lead {
	var leads []lead
	if manager.GetScopedRoutes().GetScopedRds() != nil {
		leads = append(leads, lead{scopes, wildcard})
	}
	if name := manager.GetRds().GetRouteConfigName(); name != "" {
		leads = append(leads, lead{routes, name})
	}
	for _, filter := range manager.GetHttpFilters() {
		if filter.GetConfigDiscovery() != nil {
			leads = append(leads, lead{extensions, filter.GetName()})
		}
	}
	return leads
}

func open(body []byte, into proto.Message) error {
	packed := &anypb.Any{}
	if err := proto.Unmarshal(body, packed); err != nil {
		return err
	}
	return packed.UnmarshalTo(into)
}
