package demo

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/weirmesh/weir/filter/policy/split"
	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

const (
	userCount = 200
	parallel  = 8 // requests under way at a time
)

func (d *demo) users(ctx context.Context) error {
	model := d.Catalog.Model(embedder)
	first, err := d.askAll(ctx)
	if err != nil {
		return err
	}
	for _, share := range model.Route.Split {
		n := count(first, share.Version)
		d.printf("%-3s %s %3d users %s", share.Version, d.bar(float64(n)/userCount), n,
			d.style(dim, "weight "+api.FormatHundredths(int64(share.Weight))+" %"))
	}
	for i, got := range first {
		if want := expected(model, user(i)); got != want {
			return fmt.Errorf("%s was served by %q, and by hash and weights belongs to %q", user(i), got, want)
		}
	}
	d.mark(true, "each user is where the hash of its name puts it, on every Envoy alike")
	second, err := d.askAll(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(first, second) {
		return fmt.Errorf("users moved: %s", moved(first, second))
	}
	d.mark(true, "asked again, all %d users stayed with their version", userCount)
	return nil
}

func user(i int) string { return fmt.Sprintf("user-%03d", i) }

// expected is the version that the hash and the weights give a user.
func expected(m *catalog.Model, user string) string {
	weights := make([]uint32, len(m.Route.Split))
	for i, share := range m.Route.Split {
		weights[i] = share.Weight
	}
	return m.Route.Split[split.Pick(weights, split.Bucket([]byte(m.Route.Salt), []byte(user)))].Version
}

// askAll returns the version that served each user. Every user is a tenant of
// its own, so that no budget stands in the way.
func (d *demo) askAll(ctx context.Context) ([]string, error) {
	versions := make([]string, userCount)
	wrong := make([]error, parallel)
	var wg sync.WaitGroup
	for worker := range parallel {
		wg.Go(func() {
			for i := worker; i < userCount && wrong[worker] == nil; i += parallel {
				versions[i], wrong[worker] = d.askAs(ctx, user(i))
			}
		})
	}
	wg.Wait()
	for _, err := range wrong {
		if err != nil {
			return nil, err
		}
	}
	return versions, nil
}

func (d *demo) askAs(ctx context.Context, user string) (string, error) {
	a, err := d.client.post(ctx, "/v1/embeddings", map[string]any{"model": embedder, "input": "Hello from " + user},
		"x-tenant-id", "demo-"+user, "x-user-id", user)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", fmt.Errorf("%s was answered %d: %s", user, a.status, a.body)
	}
	return a.version(), nil
}

func count(versions []string, version string) (n int) {
	for _, v := range versions {
		if v == version {
			n++
		}
	}
	return n
}

// moved names the first user whose version changed.
func moved(first, second []string) string {
	for i := range first {
		if first[i] != second[i] {
			return fmt.Sprintf("%s from %s to %s", user(i), first[i], second[i])
		}
	}
	return "none"
}
