// Command wasmcheck holds a filter module to the rules beside it: which host functions it may import, which functions
// it must export, and how large it may be.
//
// It exists because a host refuses a module with an import that it does not know, and because the size of the module is
// paid by every worker of every Envoy; both grow unnoticed with one careless import.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run checks the module that args name and returns the exit status: 0 when it keeps every rule, 1 when it does not,
// 2 when the arguments are wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("wasmcheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	folder := flags.String("rules", "target", "folder with imports.txt, exports.txt and size-budget.txt")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() != 1 {
		fmt.Fprintln(stderr, "usage: wasmcheck [-rules FOLDER] MODULE")
		return 2
	}
	if err := checkFile(ctx, *folder, flags.Arg(0), stdout); err != nil {
		fmt.Fprintf(stderr, "wasmcheck: %v\n", err)
		return 1
	}
	return 0
}

func checkFile(ctx context.Context, folder, path string, stdout io.Writer) error {
	rules, err := readRules(os.DirFS(folder))
	if err != nil {
		return fmt.Errorf("reading the rules in %s: %w", folder, err)
	}
	code, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the module: %w", err)
	}
	module, err := describe(ctx, code)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if broken := rules.check(module); len(broken) > 0 {
		return fmt.Errorf("%s breaks the rules in %s:\n%w", path, folder, errors.Join(broken...))
	}
	fmt.Fprintf(stdout, "%s: %d bytes of %d allowed, %d imports\n",
		filepath.Base(path), module.size, rules.maxSize, len(module.imports))
	return nil
}
