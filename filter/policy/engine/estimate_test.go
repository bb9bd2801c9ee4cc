package engine_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// The prompt is counted before its model is known, and priced by what the model says.
func TestPromptIsPricedByItsModel(t *testing.T) {
	const body = `{"messages":[{"role":"user","content":"Guten Tag, 你好"}],"max_tokens":10,"model":"minilm"}`
	counts := map[string]int64{"words": 3, "marks": 1, "han": 2, "messages": 1, "requests": 1}
	for _, c := range []struct {
		estimate *spec.Estimate
		want     int64
	}{
		{nil, 11}, // 3 + 1 + 2.2 + 4, rounded up
		{&spec.Estimate{spec.ClassWords: 1_500, spec.ClassHan: 2_000, spec.ClassMessages: 3_000, spec.ClassRequests: 2_000}, 14},
	} {
		d := metered(1000)
		d.Models[index(d, "minilm")].Estimate = c.estimate
		s, p, h := newStream(), compile(t, d), newHost()
		headers(s, p, h)
		s.Body([]byte(body), true)
		answer(s, `{"choices":[{"message":{"content":"你好"}}],"usage":{"prompt_tokens":17,"completion_tokens":3}}`)
		var record struct {
			PromptTokens int64
			Counts       map[string]int64
			Settled      struct{ SaidInputTokens int64 }
		}
		if err := json.Unmarshal(s.Record(), &record); err != nil || record.PromptTokens != c.want ||
			!maps.Equal(record.Counts, counts) || record.Settled.SaidInputTokens != 17 {
			t.Errorf("%s: %v; want %d tokens of %v", s.Record(), err, c.want, counts)
		}
	}
}

// An answer without usage is counted, and priced by its model too.
func TestAnswerIsPricedByItsModel(t *testing.T) {
	d := metered(1000)
	d.Models[index(d, "minilm")].Estimate = &spec.Estimate{spec.ClassWords: 1_000, spec.ClassHan: 3_000}
	s, p, h := newStream(), compile(t, d), newHost()
	headers(s, p, h)
	s.Body([]byte(`{"model":"minilm","max_tokens":100}`), true)
	answer(s, `{"choices":[{"message":{"content":"你好 all"}}]}`)
	if got := s.Settlement(); got.Output != 7 || got.Way != engine.WayCounted {
		t.Errorf("%+v, want 7 tokens counted", got)
	}
	var record struct {
		Settled map[string]any
	}
	if err := json.Unmarshal(s.Record(), &record); err != nil || record.Settled["saidInputTokens"] != nil {
		t.Errorf("%s: %v; the answer said nothing", s.Record(), err)
	}
}

// answer is a good one in JSON.
func answer(s *engine.Stream, body string) {
	s.ResponseHeader([]byte(":status"), []byte("200"))
	s.ResponseHeaders(false)
	s.ResponseBody([]byte(body), nothing{})
	s.ResponseEnd(nothing{})
}

func index(d *spec.Document, model string) int {
	for i := range d.Models {
		if d.Models[i].Name == model {
			return i
		}
	}
	return -1
}
