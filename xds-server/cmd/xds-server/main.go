// Command xds-server is Weir's control plane.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/weirmesh/weir/xds-server/internal/app"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it could not start, or a part broke
	exitUsage  = 2 // the command line is wrong
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	options, err := app.ParseOptions(args, os.Getenv, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "xds-server: %v\nxds-server --help lists the flags\n", err)
		return exitUsage
	}
	if err := app.Run(ctx, options, options.NewLog(stderr)); err != nil && ctx.Err() == nil {
		fmt.Fprintf(stderr, "xds-server: %v\n", err)
		return exitFailed
	}
	return exitOK
}
