package up

import (
	"slices"
	"testing"
)

// The xds-server reads the sources that weir has read.
func TestSourcesArePassedOn(t *testing.T) {
	sources := []string{"--resources", "a", "--certificates", "c", "--resources", "b"}
	w := &Weir{options: Options{SourceArgs: sources, Ports: ports()}, state: &state{dir: "/state"}}
	for range 2 { // a restart gets the same
		args := w.xdsServer().Args
		if len(args) < len(sources) || !slices.Equal(args[:len(sources)], sources) || !slices.Contains(args, "--identity-entries") {
			t.Errorf("arguments %q", args)
		}
	}
}
