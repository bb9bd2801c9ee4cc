package calibrate_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/tokens"
	"github.com/weirmesh/weir/xds-server/internal/calibrate"
)

const record = `{"outcome":"forward","model":"m","promptTokens":12,"counts":{"words":7,"messages":1,"requests":1},"outputTokens":5,` +
	`"limits":[{"name":"l","state":"taken"}],"settled":{"by":"usage","inputTokens":10,"saidInputTokens":10},"redactions":{"phone":1}}`

func TestRead(t *testing.T) {
	quoted := strings.ReplaceAll(record, `"`, `\"`)
	sample := calibrate.Sample{
		Model: "m", Estimated: 12, Actual: 10,
		Counts: tokens.Counts{spec.ClassWords: 7, spec.ClassMessages: 1, spec.ClassRequests: 1},
	}
	for _, c := range []struct {
		name, line string
		want       bool
	}{
		{"the record", record, true},
		{"JSON that has it as a string", `{"status":200,"weir":"` + quoted + `","path":"/v1"}`, true},
		{"JSON that has it as an object", `{"status":200,"weir":` + record + `,"path":"/v1"}`, true},
		{"text", `[2026-11-21T15:00:00Z] "POST /v1/chat/completions" 200 ` + record + ` 12ms`, true},
		{"nothing", "", false},
		{"another log", `{"status":200,"path":"/healthz"}`, false},
		{"a refusal", `{"outcome":"rate_limit_exceeded","model":"m","promptTokens":12,"counts":{"words":7}}`, false},
		{"no report", strings.Replace(record, `,"saidInputTokens":10`, "", 1), false},
		{"a report of nothing", strings.Replace(record, `"saidInputTokens":10`, `"saidInputTokens":0`, 1), false},
		{"a body that was not read", strings.Replace(record, `"counts":{"words":7,"messages":1,"requests":1},`, "", 1), false},
	} {
		got, others, err := calibrate.Read(strings.NewReader(c.line + "\n"))
		var want []calibrate.Sample
		if c.want {
			want = append(want, sample)
		}
		if err != nil || !reflect.DeepEqual(got, want) || others+len(got) != 1 {
			t.Errorf("%s: %+v, %d others, %v", c.name, got, others, err)
		}
	}
}

func TestReadNamesTheLine(t *testing.T) {
	quoted := strings.ReplaceAll(record, `"`, `\"`)
	for line, want := range map[string]string{
		record[:60]:               "line 2: the filter's record is no JSON",
		`{"weir":"` + quoted[:60]: "line 2: the filter's record is no JSON",
		strings.Replace(record, "words", "letter", 1):  `line 2: the record counts 7 "letter", which is no class of text`,
		strings.Replace(record, ":7", ":-7", 1):        `line 2: the record counts -7 "words"`,
		strings.Replace(record, `"model":"m",`, "", 1): "line 2: the record names no model",
		strings.Repeat("x", 2<<20):                     "read the log: bufio.Scanner: token too long",
	} {
		if _, _, err := calibrate.Read(strings.NewReader(record + "\n" + line + "\n")); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(record)
	f.Add(`{"weir":"` + strings.ReplaceAll(record, `"`, `\"`) + `"}`)
	f.Add(`"{\"outcome\":`)
	f.Fuzz(func(t *testing.T, text string) {
		samples, _, err := calibrate.Read(strings.NewReader(text))
		for _, s := range samples {
			if err != nil || s.Actual <= 0 || s.Model == "" {
				t.Errorf("%+v, %v", s, err)
			}
			for _, n := range s.Counts {
				if n < 0 {
					t.Errorf("%+v", s)
				}
			}
		}
	})
}

func TestYAML(t *testing.T) {
	result := &calibrate.Result{Samples: 40, Before: 0.1234, After: 0.0312}
	result.Estimate, result.Seen = spec.DefaultEstimate, [spec.TextClasses]bool{spec.ClassWords: true, spec.ClassHan: true, spec.ClassRequests: true}
	result.Estimate[spec.ClassHan] = 715
	const want = `# Model/gpt-4: the mean error of 40 estimates was 12.3%, with these numbers it is 3.1%.
# Nothing was to be learnt of numbers, marks, spaces, pieces, letters, wide, emoji, messages: keep what the Model says of them.
spec:
  tokens:
    words: 1
    han: 0.715
    requests: 0
`
	if got := result.YAML("gpt-4"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
