package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/serve"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

// response is an encoded answer: JSON and, after it, the binary data of outputs.
type response struct {
	document, blobs []byte
	binary          bool
}

// answer computes an inference request.
func (a *API) answer(r *http.Request, v *registry.Version, call *serve.Call, content []byte) (*response, error) {
	begun := a.House.Now()
	q, err := decode(r.Header, content, v.Session.Inputs())
	if err != nil {
		return nil, serve.BadRequest(err)
	}
	if err := q.checkOutputs(v.Session.Outputs()); err != nil {
		return nil, serve.BadRequest(err)
	}
	inputs, err := runtime.Arrange(v.Session.Inputs(), q.tensors())
	if err != nil {
		return nil, err
	}
	v.Metrics.Read(a.House.Now().Sub(begun), 0)
	outputs, err := run(r.Context(), v, call, q, inputs)
	if err != nil {
		return nil, err
	}
	begun = a.House.Now()
	res, err := q.encode(v, outputs)
	v.Metrics.Wrote(a.House.Now().Sub(begun))
	return res, err
}

func run(ctx context.Context, v *registry.Version, call *serve.Call, q *inferRequest, inputs []tensor.Tensor) (outputs []tensor.Tensor, err error) {
	if q.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.timeout)
		defer cancel()
	}
	err = call.Run(ctx, batch(inputs), func() (err error) {
		outputs, err = v.Session.Run(ctx, inputs)
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the request's timeout of %s expired: %w", q.timeout, err)
	}
	return outputs, err
}

// batch returns the number of inferences of a run: the first dimension of its first input.
func batch(inputs []tensor.Tensor) int {
	if len(inputs[0].Shape) == 0 {
		return 1
	}
	return int(inputs[0].Shape[0])
}

func (q *inferRequest) tensors() []tensor.Tensor {
	out := make([]tensor.Tensor, len(q.inputs))
	for i, in := range q.inputs {
		out[i] = in.Tensor
	}
	return out
}

func (q *inferRequest) checkOutputs(infos []runtime.Info) error {
	for _, o := range q.outputs {
		if !slices.ContainsFunc(infos, func(i runtime.Info) bool { return i.Name == o.name }) {
			return fmt.Errorf("output %q is asked for, which the model does not have", o.name)
		}
	}
	return nil
}

// encode writes the outputs that are asked for, in the order in which they are, each as JSON or binary.
func (q *inferRequest) encode(v *registry.Version, outputs []tensor.Tensor) (*response, error) {
	res := &response{}
	b := append(res.document, `{"model_name":`...)
	b = appendText(b, v.Spec.Name)
	b = append(b, `,"model_version":`...)
	b = appendText(b, v.Spec.Version)
	if q.hasID {
		b = append(b, `,"id":`...)
		b = appendText(b, q.id)
	}
	b = append(b, `,"outputs":[`...)
	res.document = b
	for i, w := range q.wanted(outputs) {
		if i > 0 {
			res.document = append(res.document, ',')
		}
		at := slices.IndexFunc(outputs, func(t tensor.Tensor) bool { return t.Name == w.name })
		if err := res.add(outputs[at], q.binary(w)); err != nil {
			return nil, serve.BadRequest(fmt.Errorf("output %q: %w", w.name, err))
		}
	}
	res.document = append(res.document, "]}"...)
	return res, nil
}

func (q *inferRequest) wanted(outputs []tensor.Tensor) []wanted {
	if len(q.outputs) > 0 {
		return q.outputs
	}
	all := make([]wanted, len(outputs))
	for i, t := range outputs {
		all[i].name = t.Name
	}
	return all
}

// binary tells whether an output is to be binary: its own parameter stands above that of the request.
func (q *inferRequest) binary(w wanted) bool {
	if w.binaryData != nil {
		return *w.binaryData
	}
	return q.binaryDataOutput != nil && *q.binaryDataOutput
}

func (res *response) add(t tensor.Tensor, binary bool) (err error) {
	b := append(res.document, `{"name":`...)
	b = appendText(b, t.Name)
	b = append(b, `,"datatype":"`...)
	b = append(b, t.Type.String()...)
	b = append(b, `","shape":[`...)
	for i, d := range t.Shape {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, d, 10)
	}
	b = append(b, `],`...)
	if binary {
		before := len(res.blobs)
		if res.blobs, err = t.AppendBinary(res.blobs); err != nil {
			return err
		}
		res.binary = true
		b = append(b, `"parameters":{"binary_data_size":`...)
		b = strconv.AppendInt(b, int64(len(res.blobs)-before), 10)
		b = append(b, "}}"...)
	} else {
		b = append(b, `"data":`...)
		if b, err = t.AppendJSON(b); err != nil {
			return err
		}
		b = append(b, '}')
	}
	res.document = b
	return nil
}

func appendText(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		// It cannot be: every string has a JSON form.
		return append(b, `""`...)
	}
	return append(b, quoted...)
}

func (res *response) write(w http.ResponseWriter) {
	contentType := "application/json"
	if res.binary {
		contentType = "application/octet-stream"
		w.Header().Set(headerLength, strconv.Itoa(len(res.document)))
	}
	serve.Write(w, contentType, res.document, res.blobs)
}
