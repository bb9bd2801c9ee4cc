package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

// headerLength is the header that tells how many bytes of a body are JSON; what follows are tensors in binary form.
const headerLength = "Inference-Header-Content-Length"

// decode reads an inference request for a model with the given inputs.
func decode(h http.Header, body []byte, inputs []runtime.Info) (*inferRequest, error) {
	value := h.Get(headerLength)
	if value == "" {
		return decodeParts(body, nil, false)
	}
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return nil, fmt.Errorf("the header %s is %q, not a number of bytes", headerLength, value)
	}
	if n > uint64(len(body)) {
		return nil, fmt.Errorf("the header %s is %d, the body has %d bytes", headerLength, n, len(body))
	}
	if n == 0 {
		return decodeRaw(body, inputs)
	}
	return decodeParts(body[:n], body[n:], true)
}

func decodeParts(document, blobs []byte, binary bool) (*inferRequest, error) {
	q, err := parseRequest(document)
	if err != nil {
		return nil, err
	}
	for i := range q.inputs {
		if q.inputs[i].binaryDataSize == nil {
			continue
		}
		if !binary {
			return nil, fmt.Errorf("input %q has the parameter binary_data_size, but the request has no header %s", q.inputs[i].Name, headerLength)
		}
		if blobs, err = q.inputs[i].attach(blobs); err != nil {
			return nil, fmt.Errorf("input %q: %w", q.inputs[i].Name, err)
		}
	}
	if len(blobs) > 0 {
		return nil, fmt.Errorf("%d bytes are left after the binary data of all inputs", len(blobs))
	}
	return q, nil
}

// attach takes the input's data from the blobs and returns the rest.
func (in *input) attach(blobs []byte) ([]byte, error) {
	size := *in.binaryDataSize
	if size < 0 || size > int64(len(blobs)) {
		return nil, fmt.Errorf("binary_data_size is %d, %d bytes are left", size, len(blobs))
	}
	return blobs[size:], tensor.ReadBinary(blobs[:size:size], &in.Tensor)
}

// decodeRaw reads a request without JSON (the header says 0): the body is the only input, a batch of one, and all
// outputs are to be binary. A BYTES input is one element, without its length.
func decodeRaw(body []byte, inputs []runtime.Info) (*inferRequest, error) {
	if len(inputs) != 1 {
		return nil, fmt.Errorf("a request without JSON needs a model with one input, this one has %d", len(inputs))
	}
	info := inputs[0]
	yes := true
	q := &inferRequest{parameters: parameters{binaryDataOutput: &yes}}
	in := input{Tensor: tensor.Tensor{Name: info.Name, Type: info.Type}}
	if info.Type == tensor.Text {
		in.Elements = [][]byte{body}
		in.Shape = make([]int64, len(info.Shape))
		for i := range in.Shape {
			in.Shape[i] = 1
		}
		q.inputs = []input{in}
		return q, nil
	}
	shape, err := rawShape(info, len(body))
	if err != nil {
		return nil, err
	}
	in.Shape = shape
	if err := tensor.ReadBinary(body, &in.Tensor); err != nil {
		return nil, fmt.Errorf("input %q: %w", in.Name, err)
	}
	q.inputs = []input{in}
	return q, nil
}

// rawShape makes the shape of a batch of one: the first varying length is 1, a second one follows from the size.
func rawShape(info runtime.Info, size int) ([]int64, error) {
	shape := append([]int64{}, info.Shape...)
	open, known := -1, int64(info.Type.Size())
	for i, d := range shape {
		switch {
		case d >= 0:
			known *= d
		case i == 0:
			shape[i] = 1
		case open < 0:
			open = i
		default:
			return nil, errors.New("a request without JSON needs a model of which at most one length varies besides the batch")
		}
	}
	if open >= 0 && known > 0 {
		shape[open] = int64(size) / known
	}
	return shape, nil
}
