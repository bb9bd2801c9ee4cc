package main

import (
	"context"
	"fmt"
	"os"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// runCheck is `weir check`.
func runCheck(_ context.Context, i *invocation) error {
	folder := i.flags.String("f", "", "`folder` of resources")
	if err := i.parse(folder); err != nil {
		return err
	}
	_, problems := catalog.Load(os.DirFS(*folder))
	for _, p := range problems {
		_, _ = fmt.Fprintln(i.stdout, p)
	}
	if problems != nil {
		return errSilent
	}
	return nil
}
