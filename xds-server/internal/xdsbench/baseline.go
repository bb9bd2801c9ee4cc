package xdsbench

import (
	"context"
	"fmt"
	"os"
	"strconv"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// baseline is go-control-plane's server over one of its caches, with the same
// resources.
type baseline struct {
	all    [kinds]map[string]types.Resource
	cache  cachev3.Cache
	update func(ctx context.Context, l lead, r types.Resource) error
	server serverv3.Server
}

// oneGroup is the node hash under which all clients share one snapshot: the way
// of least work for a SnapshotCache.
type oneGroup struct{}

func (oneGroup) ID(*corev3.Node) string { return "all" }

// newBaseline makes a server whose streams end with ctx.
func newBaseline(ctx context.Context, m mesh, module, server string) (*baseline, error) {
	b := &baseline{}
	if err := b.translate(m, module); err != nil {
		return nil, err
	}
	var err error
	if server == ServerLinear {
		b.linear()
	} else {
		err = b.snapshot(ctx)
	}
	if err != nil {
		return nil, err
	}
	b.server = serverv3.NewServer(ctx, b.cache, nil)
	return b, nil
}

// translate takes the resources that our own server would send.
func (b *baseline) translate(m mesh, module string) error {
	built, err := build(m)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(module)
	if err != nil {
		return fmt.Errorf("read the filter: %w", err)
	}
	snapshots, err := translate.NewTranslator(translate.Options{Module: content}).Translate(built)
	if err != nil {
		return err
	}
	for k, url := range typeURLs {
		b.all[k] = map[string]types.Resource{}
		for r := range snapshots[envoyID].All(url) {
			if b.all[k][r.Name], err = r.Body.UnmarshalNew(); err != nil {
				return fmt.Errorf("decode %s: %w", r.Name, err)
			}
		}
	}
	return nil
}

// linear has a LinearCache for each type. One resource is updated alone.
func (b *baseline) linear() {
	caches := map[string]cachev3.Cache{}
	var byKind [kinds]*cachev3.LinearCache
	for k, url := range typeURLs {
		byKind[k] = cachev3.NewLinearCache(url, cachev3.WithInitialResources(b.all[k]))
		caches[url] = byKind[k]
	}
	b.cache = &cachev3.MuxCache{
		Classify:      func(r *cachev3.Request) string { return r.GetTypeUrl() },
		ClassifyDelta: func(r *cachev3.DeltaRequest) string { return r.GetTypeUrl() },
		Caches:        caches,
	}
	b.update = func(_ context.Context, l lead, r types.Resource) error {
		return byKind[l.kind].UpdateResource(l.name, r)
	}
}

// snapshot has a SnapshotCache. A change is a new snapshot: there is no other way.
func (b *baseline) snapshot(ctx context.Context) error {
	snapshots := cachev3.NewSnapshotCache(true, oneGroup{}, nil)
	b.cache = snapshots
	version := 0
	set := func(ctx context.Context) error {
		version++
		byURL := map[string][]types.Resource{}
		for k, url := range typeURLs {
			for _, r := range b.all[k] {
				byURL[url] = append(byURL[url], r)
			}
		}
		next, err := cachev3.NewSnapshot(strconv.Itoa(version), byURL)
		if err != nil {
			return fmt.Errorf("make a snapshot: %w", err)
		}
		return snapshots.SetSnapshot(ctx, "all", next)
	}
	b.update = func(ctx context.Context, _ lead, _ types.Resource) error { return set(ctx) }
	return set(ctx)
}

func (b *baseline) register(r grpc.ServiceRegistrar) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(r, b.server)
}

func (b *baseline) resources() (counts [kinds]int) {
	for k := range b.all {
		counts[k] = len(b.all[k])
	}
	return counts
}

func (b *baseline) change(what string, model, step int) error {
	l, err := changed(what, model)
	if err != nil {
		return err
	}
	r := proto.Clone(b.all[l.kind][l.name])
	switch r := r.(type) {
	case *routev3.RouteConfiguration:
		reweigh(r, step)
	case *clusterv3.Cluster:
		r.ConnectTimeout = durationpb.New(connectTimeout(step))
	default:
		return fmt.Errorf("no resource %s to change", l.name)
	}
	b.all[l.kind][l.name] = r
	return b.update(context.Background(), l, r)
}

// reweigh makes a weight step in the last route of a model, which is the split.
func reweigh(r *routev3.RouteConfiguration, step int) {
	all := r.GetVirtualHosts()[0].GetRoutes()
	split := all[len(all)-1].GetRoute().GetWeightedClusters().GetClusters()
	canary := weight(step)
	for i, share := range []uint32{canary, api.WholeWeight - canary} {
		split[i].Weight = wrapperspb.UInt32(share)
	}
}
