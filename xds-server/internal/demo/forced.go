package demo

import (
	"context"
	"fmt"
	"net/http"
)

func (d *demo) forced(ctx context.Context) error {
	model := d.Catalog.Model(embedder)
	header := model.Route.VersionHeader
	if header == "" {
		return fmt.Errorf("model %s has no versionHeader", embedder)
	}
	vectors := make(map[string][]float64)
	for _, version := range model.Versions {
		e, a, err := d.client.embed(ctx, sentences[:1], "x-tenant-id", "demo-forced", header, version.Name)
		if err != nil {
			return err
		}
		vectors[version.Name] = e.Data[0].Embedding
		v := vectors[version.Name]
		d.printf("%s: %-12s served by %s  [%.4f %.4f %.4f ...]", header, version.Name, d.style(bold, a.version()), v[0], v[1], v[2])
		if a.version() != version.Name {
			return fmt.Errorf("%s %s was served by %q", header, version.Name, a.version())
		}
	}
	if err := d.twoBuilds(vectors[model.Versions[0].Name], vectors[model.Versions[1].Name]); err != nil {
		return err
	}
	return d.unknownVersion(ctx, header)
}

// twoBuilds proves that two versions ran: they agree, and not to the last bit.
func (d *demo) twoBuilds(a, b []float64) error {
	c := cosine(a, b)
	if c < 0.9 || c == 1 {
		return fmt.Errorf("the cosine of the two versions is %.6f", c)
	}
	d.mark(true, "two different builds of one model: cosine %.4f", c)
	return nil
}

func (d *demo) unknownVersion(ctx context.Context, header string) error {
	a, err := d.client.post(ctx, "/v1/embeddings", map[string]any{"model": embedder, "input": "x"},
		"x-tenant-id", "demo-forced", header, "v99")
	if err != nil {
		return err
	}
	var refusal struct {
		Error struct{ Message, Code string }
	}
	if err := a.into(http.StatusNotFound, &refusal); err != nil {
		return err
	}
	if refusal.Error.Code != "version_not_found" {
		return fmt.Errorf("an unknown version was refused with the code %q", refusal.Error.Code)
	}
	d.mark(true, "v99 is a 404: %s", refusal.Error.Message)
	return nil
}
