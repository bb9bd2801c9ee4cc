// Package serving finds out whether an Envoy serves what it acknowledged. An ACK
// says that a resource is valid, not that it is in use: clusters and listeners
// warm after it. An Envoy that says in its node's metadata where its admin
// interface is gets asked there, on the IP address that it connects from and
// nowhere else; of the others, a plaintext listener is asked whether it is ready.
//
// All answers come from strangers: they are bounded in size and time, and decide
// nothing about who gets what.
package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// MetadataKey is the field of node.metadata that holds the port of an Envoy's
// admin interface, which must be reachable on the address that the Envoy
// connects from.
const MetadataKey = "weir.dev/admin-port"

// Bounds on what one answer may cost.
const (
	maxAnswer    = 4 << 20 // bytes; masks leave some 200 of each resource
	answerTime   = 5 * time.Second
	maxNamed     = 64 // resources named in one question, as a regular expression in a URL
	readyPath    = "/v2/health/ready"
	idleConnTime = 10 * time.Second
)

// Asker asks Envoys. It is safe for concurrent use.
type Asker struct {
	client *http.Client
}

// NewAsker returns an Asker that goes through no proxy and follows no redirect.
func NewAsker() *Asker {
	return &Asker{client: &http.Client{
		Timeout:       answerTime,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: idleConnTime, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close gives back idle connections.
func (a *Asker) Close() { a.client.CloseIdleConnections() }

// Node returns the node.id of the Envoy at an admin address.
func (a *Asker) Node(ctx context.Context, admin netip.AddrPort) (string, error) {
	body, err := a.get(ctx, "http://"+admin.String()+"/server_info")
	if err != nil {
		return "", err
	}
	return nodeOf(body)
}

// Warming returns those of clusters that warm: they are there, and take no
// requests yet. No clusters: all that warm.
//
// Envoy makes a dump of every cluster before it picks the warming ones, unless
// names narrow it down: at 10,000 models that stops its main thread for as long as
// a change takes to arrive.
func (a *Asker) Warming(ctx context.Context, admin netip.AddrPort, clusters []string) ([]string, error) {
	d, err := a.dump(ctx, admin, "dynamic_warming_clusters", "cluster.name", named(clusters))
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool, len(clusters))
	for _, name := range clusters {
		wanted[name] = true
	}
	var warming []string
	for _, e := range d.Configs {
		if len(clusters) == 0 || wanted[e.Cluster.Name] {
			warming = append(warming, e.Cluster.Name)
		}
	}
	return warming, nil
}

// named are the names if so many can be named in one question; none stands for all.
func named(names []string) []string {
	if len(names) > maxNamed {
		return nil
	}
	return names
}

// versions returns the versions in use of the clusters and route configurations
// with these names, as far as they are there.
func (a *Asker) versions(ctx context.Context, admin netip.AddrPort, resource string, names []string) (map[string]string, error) {
	field := "cluster"
	if resource == routesInUse {
		field = "route_config"
	}
	d, err := a.dump(ctx, admin, resource, "version_info,"+field+".name", names)
	if err != nil {
		return nil, err
	}
	versions := make(map[string]string, len(d.Configs))
	for _, e := range d.Configs {
		versions[e.Cluster.Name+e.RouteConfig.Name] = e.Version // one of the two is empty
	}
	return versions, nil
}

// Fields of Envoy's ClustersConfigDump and RoutesConfigDump.
const (
	clustersInUse = "dynamic_active_clusters"
	routesInUse   = "dynamic_route_configs"
)

// listeners returns the listeners with these names. Envoy makes a dump of what it
// lists before the listeners, too, as far as the names allow.
func (a *Asker) listeners(ctx context.Context, admin netip.AddrPort, names []string) ([]entry, error) {
	d, err := a.dump(ctx, admin, "dynamic_listeners", "name,active_state.version_info,warming_state.version_info,error_state.details", named(names))
	return d.Configs, err
}

// Ready asks a listener of the filter whether it is ready.
func (a *Asker) Ready(ctx context.Context, listener netip.AddrPort) error {
	_, err := a.get(ctx, "http://"+listener.String()+readyPath)
	return err
}

// dump asks for a part of the configuration. Names narrow it down; none: all.
func (a *Asker) dump(ctx context.Context, admin netip.AddrPort, resource, mask string, names []string) (dump, error) {
	query := url.Values{"resource": {resource}, "mask": {mask}}
	if len(names) > 0 {
		query.Set("name_regex", exactly(names))
	}
	// Envoy reads + as itself, not as a space.
	body, err := a.get(ctx, "http://"+admin.String()+"/config_dump?"+strings.ReplaceAll(query.Encode(), "+", "%20"))
	var answered *statusError
	if errors.As(err, &answered) && answered.code == http.StatusNotFound && strings.Contains(answered.body, "not found in config dump") {
		return dump{}, nil // Envoy has no such part yet
	}
	if err != nil {
		return dump{}, err
	}
	return parseDump(body)
}

// exactly is a regular expression for names and nothing else.
func exactly(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = regexp.QuoteMeta(name)
	}
	return "^(" + strings.Join(quoted, "|") + ")$"
}

// statusError is an answer other than 200.
type statusError struct {
	code int
	body string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("answered %d: %q", e.code, e.body[:min(len(e.body), 200)])
}

func (a *Asker) get(ctx context.Context, target string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask Envoy: %w", err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask Envoy: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask Envoy: %w", err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("ask Envoy at %s: the answer is longer than %d bytes", req.URL.Host, maxAnswer)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("ask Envoy at %s: %w", req.URL.Host, &statusError{resp.StatusCode, string(body)})
	}
	return body, nil
}
