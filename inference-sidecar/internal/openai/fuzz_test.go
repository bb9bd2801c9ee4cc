package openai

import "testing"

// FuzzParse: every body is refused, or is inputs of one kind within the bounds.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"model":"m","input":"a"}`, `{"model":"m","input":["a","b"],"encoding_format":"base64"}`, `{"model":"m","input":[1,2],"dimensions":3}`, `{"model":"m","input":[[1],[2]],"user":null}`, `{"input":[[],1,"a"]}`, `[`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := parse(b)
		if err != nil {
			return
		}
		if q.model == "" || (len(q.texts) == 0) == (len(q.tokens) == 0) || len(q.texts)+len(q.tokens) > maxInputs || q.tokenIDs > maxTokenIDs {
			t.Errorf("%q gave %+v", b, q)
		}
	})
}
