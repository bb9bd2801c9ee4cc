package demo

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Three sentences: the first two mean nearly the same.
var sentences = []string{
	"A cat is sleeping on the sofa.",
	"The kitten naps on the couch.",
	"Quarterly tax returns are due in April.",
}

// dimensions is the length of the model's embeddings.
const dimensions = 384

func (d *demo) embedding(ctx context.Context) error {
	d.printf("%s", d.style(dim, "POST /v1/embeddings: any OpenAI client, with its base URL set to "+d.Gateway+"/v1"))
	e, a, err := d.client.embed(ctx, sentences, "x-tenant-id", "demo-embedding")
	if err != nil {
		return err
	}
	first := e.Data[0].Embedding
	if len(first) != dimensions {
		return fmt.Errorf("the embedding has %d dimensions, not %d", len(first), dimensions)
	}
	if length := math.Sqrt(dot(first, first)); math.Abs(length-1) > 1e-3 {
		return fmt.Errorf("the embedding has the length %.4f, not 1", length)
	}
	near, far := cosine(first, e.Data[1].Embedding), cosine(first, e.Data[2].Embedding)
	d.printf("%-42q %d dimensions [%.4f %.4f %.4f %.4f ...]", sentences[0], len(first), first[0], first[1], first[2], first[3])
	d.printf("%-42q %s %.3f", sentences[1], d.bar(near), near)
	d.printf("%-42q %s %.3f", sentences[2], d.bar(max(far, 0)), far)
	d.printf("%s", d.style(dim, fmt.Sprintf("the bars are the cosine to the first; %d prompt tokens; served by %s %s", e.Usage.Prompt, embedder, a.version())))
	if near < 0.5 || far > near-0.3 {
		return fmt.Errorf("cosines of %.3f and %.3f do not tell a kitten from taxes", near, far)
	}
	if e.Usage.Prompt == 0 || a.version() == "" {
		return errors.New("the answer has no usage or no version")
	}
	d.mark(true, "sentences with one meaning are near each other")
	return nil
}

func dot(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// cosine of the angle between two vectors of one length.
func cosine(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.NaN()
	}
	return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b))
}
