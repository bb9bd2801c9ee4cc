// Package demo sends sample requests through a running Weir and prints what
// comes back, for people. Every sample has a right answer, and a wrong one is an
// error: the demo is a test that tells a story.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// The models that the samples are sent to; examples/local has both.
const (
	embedder = "minilm"
	echoing  = "echo"
)

// Config says where to send the samples and what the rules are.
type Config struct {
	Gateway string // URL of a listener, without a path
	Catalog *catalog.Catalog
	Out     io.Writer
	Color   bool // Out is a terminal that shows ANSI colours
}

// EchoEndpoint is where the configuration expects the echo model, host:port.
// It fails when the configuration is not one that the samples fit.
func EchoEndpoint(c *catalog.Catalog) (string, error) {
	if c.Model(embedder) == nil || c.Model(echoing) == nil {
		return "", fmt.Errorf("the samples need the models %s and %s, as examples/local has them", embedder, echoing)
	}
	if len(c.Model(embedder).Versions) < 2 {
		return "", fmt.Errorf("the samples need two versions of the model %s, as examples/local has them", embedder)
	}
	return c.Model(echoing).Versions[0].Endpoints[0].String(), nil
}

// Run sends all samples, even after one was answered wrongly. The error names
// every wrong answer.
func Run(ctx context.Context, c Config) error {
	d := &demo{Config: c, client: newClient(c.Gateway)}
	defer d.client.close()
	samples := []struct {
		title string
		run   func(context.Context) error
	}{
		{"An embedding", d.embedding},
		{"Personal data stays here", d.redaction},
		{"A burst runs into the budget", d.burst},
		{"200 users, two versions", d.users},
		{"A version on demand", d.forced},
	}
	var wrong error
	for i, sample := range samples {
		d.title(i+1, sample.title)
		if err := sample.run(ctx); err != nil {
			d.mark(false, "%v", err)
			wrong = errors.Join(wrong, fmt.Errorf("%s: %w", sample.title, err))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return wrong
}

type demo struct {
	Config
	client *client
}
