package serving

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Confirm compares what an Envoy serves with what it acknowledged last: that no
// cluster that changed since before warms (without a before, that none does), that
// every listener is the one of the snapshot, and that the clusters and routes that
// changed are, the first maxNamed of each.
// How says what was asked; the error is why the Envoy could not be asked, or what
// it does not serve (a *MismatchError).
func (a *Asker) Confirm(ctx context.Context, e Envoy, before, snap *snapshot.Snapshot) (how string, err error) {
	admin, says := e.admin()
	if !says {
		return a.probe(ctx, e, snap)
	}
	node, err := a.Node(ctx, admin)
	if err != nil {
		return "", err
	}
	if node != e.Node {
		return "", fmt.Errorf("the admin interface at %s is that of another node, %q", admin, node)
	}
	return "config dump", a.confirm(ctx, admin, before, snap)
}

// MismatchError is something that an Envoy acknowledged and does not serve.
type MismatchError struct{ What string }

// Error says what it is.
func (m *MismatchError) Error() string { return m.What }

func mismatch(format string, args ...any) error {
	return &MismatchError{What: fmt.Sprintf(format, args...)}
}

func (a *Asker) confirm(ctx context.Context, admin netip.AddrPort, before, snap *snapshot.Snapshot) error {
	changed := changedNames(before, snap)
	if err := a.confirmWarm(ctx, admin, before, changed[snapshot.ClusterType]); err != nil {
		return err
	}
	if err := a.confirmListeners(ctx, admin, snap); err != nil {
		return err
	}
	for _, typeURL := range []string{snapshot.ClusterType, snapshot.RouteType} {
		names := changed[typeURL]
		if names = names[:min(len(names), maxNamed)]; len(names) == 0 {
			continue
		}
		resource := map[string]string{snapshot.ClusterType: clustersInUse, snapshot.RouteType: routesInUse}[typeURL]
		have, err := a.versions(ctx, admin, resource, names)
		if err != nil {
			return err
		}
		if err := compare(typeURL, names, have, snap); err != nil {
			return err
		}
	}
	return nil
}

// changedNames are the names of what is new or changed, by type.
func changedNames(before, snap *snapshot.Snapshot) map[string][]string {
	names := map[string][]string{}
	for _, change := range snapshot.Diff(before, snap) {
		names[change.TypeURL] = slices.Concat(change.Added, change.Changed)
	}
	return names
}

// confirmWarm asks whether anything warms the first time, and of what changed later.
func (a *Asker) confirmWarm(ctx context.Context, admin netip.AddrPort, before *snapshot.Snapshot, changed []string) error {
	if before != nil && len(changed) == 0 {
		return nil
	}
	if before == nil {
		changed = nil
	}
	warming, err := a.Warming(ctx, admin, changed)
	if err != nil {
		return err
	}
	if len(warming) > 0 {
		return mismatch("%d clusters warm, such as %s", len(warming), warming[0])
	}
	return nil
}

func compare(typeURL string, names []string, have map[string]string, snap *snapshot.Snapshot) error {
	for _, name := range names {
		if want := snap.Get(typeURL, name).Version; have[name] != want {
			return mismatch("%s is at %s, not at %s", name, orNone(have[name]), want)
		}
	}
	return nil
}

func (a *Asker) confirmListeners(ctx context.Context, admin netip.AddrPort, snap *snapshot.Snapshot) error {
	names := snap.Names(snapshot.ListenerType)
	entries, err := a.listeners(ctx, admin, names)
	if err != nil {
		return err
	}
	have := make(map[string]string, len(entries))
	for _, l := range entries {
		if l.Warming != nil {
			return mismatch("listener %s warms", l.Name)
		}
		have[l.Name] = l.Active.Version
	}
	return compare(snapshot.ListenerType, names, have, snap)
}

func orNone(version string) string {
	if version == "" {
		return "no version"
	}
	return version
}

// probe asks the plaintext listeners of an Envoy that does not say where its
// admin interface is.
func (a *Asker) probe(ctx context.Context, e Envoy, snap *snapshot.Snapshot) (string, error) {
	asked := 0
	for r := range snap.All(snapshot.ListenerType) {
		address, ok := plaintext(r, e.IP)
		if !ok {
			continue
		}
		if err := a.Ready(ctx, address); err != nil {
			return "", fmt.Errorf("listener %s: %w", r.Name, err)
		}
		asked++
	}
	if asked == 0 {
		return "", fmt.Errorf("the Envoy says no %s and has no plaintext listener that can be reached at %s", MetadataKey, e.IP)
	}
	return "probe", nil
}

// plaintext is where a listener is reached at an Envoy's address, if it takes
// plaintext there.
func plaintext(r *snapshot.Resource, ip netip.Addr) (netip.AddrPort, bool) {
	var l listenerv3.Listener
	if err := r.Body.UnmarshalTo(&l); err != nil || !ip.IsValid() {
		return netip.AddrPort{}, false
	}
	for _, chain := range l.GetFilterChains() {
		if chain.GetTransportSocket() != nil {
			return netip.AddrPort{}, false
		}
	}
	socket := l.GetAddress().GetSocketAddress()
	bound, err := netip.ParseAddr(socket.GetAddress())
	if err != nil || socket.GetPortValue() == 0 || !bound.IsUnspecified() && bound != ip {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip, uint16(socket.GetPortValue())), true
}
