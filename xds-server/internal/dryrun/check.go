// Package dryrun asks the shipped filter what it makes of resources, without
// Envoy: whether it accepts a configuration, and what it does with a request.
package dryrun

import (
	"context"
	"fmt"
	"slices"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/filter/wasmhost"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// Report is what Check found. Without problems everything else is set.
type Report struct {
	Problems  []catalog.Problem
	Catalog   *catalog.Catalog
	Overrides []source.Override // resources that a later source defines anew
	Snapshots map[spiffeid.ID]*snapshot.Snapshot
	Gateways  []Accepted // in the catalog's order
	// Notes say what is right and may surprise, one line each.
	Notes []string
}

// Accepted is a gateway whose policy the module took.
type Accepted struct {
	Gateway     string
	PolicyBytes int
}

// Check reads the sources once, translates what they hold as the xds-server does,
// and gives each gateway's policy to module, the bytes of filter.wasm. What is
// wrong with the resources or the sources is in the report; the error is of anything else.
func Check(ctx context.Context, sources []source.Source, module []byte) (*Report, error) {
	read, err := source.Read(ctx, sources)
	if err != nil {
		return &Report{Problems: []catalog.Problem{{Message: err.Error()}}}, nil
	}
	built, problems := catalog.FromUpdate(read)
	if len(problems) > 0 {
		return &Report{Problems: problems}, nil
	}
	snapshots, err := translate.Translate(built, translate.Options{Module: module})
	if err != nil {
		return nil, fmt.Errorf("translate the resources: %w", err)
	}
	report := &Report{Catalog: built, Overrides: read.Overrides, Snapshots: snapshots, Notes: slices.Concat(largeBodies(built), lostClaims(built), servedLimits(built), decompression(built))}
	filter, err := wasmhost.Load(ctx, module, wasmhost.Compiler)
	if err != nil {
		return nil, fmt.Errorf("load the filter module: %w", err)
	}
	defer filter.Close(ctx)
	for _, gateway := range built.Gateways {
		size, err := accept(ctx, filter, built, gateway)
		if err != nil {
			return nil, fmt.Errorf("policy of Gateway/%s: %w", gateway.Name, err)
		}
		report.Gateways = append(report.Gateways, Accepted{Gateway: gateway.Name, PolicyBytes: size})
	}
	return report, nil
}

// accept gives the policy of a gateway to a fresh VM of the filter.
func accept(ctx context.Context, filter *wasmhost.Module, c *catalog.Catalog, gateway *catalog.Gateway) (size int, err error) {
	document, err := translate.Policy(c, gateway)
	if err != nil {
		return 0, err
	}
	vm, err := filter.NewVM(ctx, wasmhost.Options{})
	if err != nil {
		return 0, fmt.Errorf("start the filter: %w", err)
	}
	defer vm.Close(ctx)
	if err := vm.Configure(document); err != nil {
		return 0, fmt.Errorf("the filter refuses it: %w", err)
	}
	return len(document), nil
}
