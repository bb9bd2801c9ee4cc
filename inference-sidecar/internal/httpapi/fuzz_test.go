package httpapi

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

// FuzzDecode: whatever a body and its header length say, decoding answers with an error or with tensors that hold what
// their shapes say.
func FuzzDecode(f *testing.F) {
	infos := []runtime.Info{{Name: "x", Type: tensor.FP32, Shape: []int64{-1, 2}}}
	document := `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}`
	f.Add(document+"12345678", strconv.Itoa(len(document)))
	f.Add("12345678", "0")
	f.Add(document, "")
	f.Add(`{"inputs":[{"data":[["a"],["b"]],"shape":[2,1],"datatype":"BYTES","name":"x"}]}`, "")
	f.Add(`{"inputs":[{"name":"x","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":9}}],"id":"1"}`+"\x00\x00\x00\x00\x01\x00\x00\x00a", "99")
	f.Fuzz(func(t *testing.T, body, length string) {
		h := http.Header{}
		h.Set(headerLength, length)
		q, err := decode(h, []byte(body), infos)
		if err != nil {
			return
		}
		for _, in := range q.inputs {
			if err := in.Check(); err != nil {
				t.Errorf("%q with %q gave %+v: %v", body, length, in.Tensor, err)
			}
		}
	})
}
