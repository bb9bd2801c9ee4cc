package openai

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
	"github.com/weirmesh/weir/inference-sidecar/internal/serve"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

// embeddings answers POST /v1/embeddings.
func (a *API) embeddings(w http.ResponseWriter, r *http.Request) error {
	content, release, err := a.House.ReadBody(r, maxBody)
	if err != nil {
		return err
	}
	defer release()
	q, err := parse(content)
	if err != nil {
		return err
	}
	v, err := a.House.Find(r, q.model, "")
	if err != nil {
		return err
	}
	call, err := a.House.Admit(v)
	if err != nil {
		return err
	}
	answer, err := a.answer(r.Context(), v, call, q)
	call.End(err)
	if err != nil {
		return err
	}
	serve.Write(w, "application/json", answer)
	return nil
}

func (a *API) answer(ctx context.Context, v *registry.Version, call *serve.Call, q *request) ([]byte, error) {
	if v.Embedder == nil {
		return nil, invalid("model", "model %q is not for embeddings", v.Spec.Name)
	}
	dimensions := v.Embedder.Dimensions()
	if q.dimensions > 0 {
		if err := v.Embedder.CheckDimensions(q.dimensions); err != nil {
			return nil, invalid("dimensions", "%v", err)
		}
		dimensions = q.dimensions
	}
	begun := a.House.Now()
	sequences, tokens, err := q.sequences(v.Embedder)
	if err != nil {
		return nil, err
	}
	v.Metrics.Read(a.House.Now().Sub(begun), tokens)
	job := job{call: call, version: v, sequences: sequences, dimensions: dimensions, vectors: make([][]float32, len(sequences))}
	if err := job.run(ctx, a.House.Gate.Slots()); err != nil {
		return nil, err
	}
	begun = a.House.Now()
	out, err := encode(v.Spec.Name, job.vectors, tokens, q.base64)
	v.Metrics.Wrote(a.House.Now().Sub(begun))
	return out, err
}

// job computes the vectors of one request's sequences.
type job struct {
	call       *serve.Call
	version    *registry.Version
	sequences  [][]int32
	dimensions int
	vectors    [][]float32
}

// run computes with up to the given number of goroutines, each waiting for a slot for each sequence, so that a large
// request lets others in between. The first error ends it.
func (j *job) run(ctx context.Context, workers int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(workers, len(j.sequences)) {
		wg.Go(func() {
			for i := range next {
				if err := j.one(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range j.sequences {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

func (j *job) one(ctx context.Context, i int) error {
	return j.call.Run(ctx, 1, func() (err error) {
		j.vectors[i], err = j.version.Embedder.Embed(ctx, j.sequences[i], j.dimensions)
		return err
	})
}

// encode writes the answer: {"object":"list","data":[...],"model":...,"usage":{...}}. Written by hand because numbers are
// nearly all of it.
func encode(model string, vectors [][]float32, tokens int, inBase64 bool) ([]byte, error) {
	name, err := json.Marshal(model)
	if err != nil {
		return nil, fmt.Errorf("writing the model's name: %w", err)
	}
	const bytesANumber = 13
	b := make([]byte, 0, 256+len(vectors)*(64+len(vectors[0])*bytesANumber))
	b = append(b, `{"object":"list","data":[`...)
	for i, v := range vectors {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"object":"embedding","index":`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `,"embedding":`...)
		b = appendVector(b, v, inBase64)
		b = append(b, '}')
	}
	b = append(b, `],"model":`...)
	b = append(b, name...)
	return fmt.Appendf(b, `,"usage":{"prompt_tokens":%d,"total_tokens":%d}}`, tokens, tokens), nil
}

func appendVector(b []byte, v []float32, inBase64 bool) []byte {
	if inBase64 {
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, tensor.BytesOf(v))
		return append(b, '"')
	}
	b = append(b, '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = tensor.AppendFloat(b, float64(x), 32)
	}
	return append(b, ']')
}
