package main

import (
	"context"
	"fmt"
	"os"

	"github.com/weirmesh/weir/xds-server/internal/dryrun"
	"github.com/weirmesh/weir/xds-server/internal/up"
)

// runCheck is `weir check`: the resources are read as the xds-server reads them,
// and the shipped filter is given what comes of them.
func runCheck(ctx context.Context, i *invocation) error {
	from := i.sources()
	path := i.flags.String("filter-module", "", "`path` of filter.wasm (default: beside this program)")
	sources, err := i.parseSources(from)
	if err != nil {
		return err
	}
	module, missing := i.module(*path)
	report, err := dryrun.Check(ctx, sources, module)
	switch {
	case err != nil && missing != nil: // problems of the resources can be told without the filter
		return missing
	case err != nil:
		return fmt.Errorf("check the resources: %w", err)
	}
	if _, err := fmt.Fprint(i.stdout, report.Format()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if len(report.Problems) > 0 {
		return errSilent
	}
	return nil
}

// module reads filter.wasm from a path, or from where it is built.
func (i *invocation) module(path string) ([]byte, error) {
	if path == "" {
		executable, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program's folder: %w", err)
		}
		if path, err = up.FindFilter(i.getenv, executable); err != nil {
			return nil, fmt.Errorf("%w, or name it with --filter-module", err)
		}
	}
	module, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the filter: %w", err)
	}
	return module, nil
}
