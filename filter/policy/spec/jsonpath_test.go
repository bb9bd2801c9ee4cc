package spec_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
)

func TestJSONPath(t *testing.T) {
	member := func(name string) spec.PathStep { return spec.PathStep{Key: name, Index: spec.NoItem} }
	item := func(i int) spec.PathStep { return spec.PathStep{Index: i} }
	for text, want := range map[string][]spec.PathStep{
		"model":               {member("model")},
		"messages[*].content": {member("messages"), item(spec.AnyItem), member("content")},
		"a.*.b[0][12]":        {member("a"), {Index: spec.NoItem}, member("b"), item(0), item(12)},
		"*":                   {{Index: spec.NoItem}},
		"*[*]":                {{Index: spec.NoItem}, item(spec.AnyItem)},
		"[3].x-y z":           {item(3), member("x-y z")},
		`a\.b.\*.c\[\]\\d`:    {member("a.b"), member("*"), member(`c[]\d`)},
		"中文.*":                {member("中文"), {Index: spec.NoItem}},
	} {
		if got, problem := spec.JSONPath(text); problem != "" || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %q, want %v", text, got, problem, want)
		}
	}
	for text, want := range map[string]string{
		"":                             "a name is missing",
		".a":                           "a name is missing",
		"a.":                           "a name is missing",
		"a..b":                         "a name is missing",
		"a[":                           "brackets hold * or a number",
		"a[]":                          "brackets hold * or a number",
		"a[-1]":                        "brackets hold * or a number",
		"a[1":                          "brackets hold * or a number",
		"a[*]b":                        "a dot or a bracket must follow the bracket",
		"a*":                           `a "*" of a name needs a backslash before it`,
		"**":                           `a "*" of a name needs a backslash before it`,
		"a]":                           `a "]" of a name needs a backslash before it`,
		`a\b`:                          "needs a backslash before it",
		strings.Repeat("a.", 16) + "a": "it has more than 16 steps",
		strings.Repeat("a", 257):       "it has more than 256 bytes",
	} {
		if got, problem := spec.JSONPath(text); !strings.Contains(problem, want) {
			t.Errorf("%s: %v %q, want %q", text, got, problem, want)
		}
	}
}

func FuzzJSONPath(f *testing.F) {
	f.Add(`messages[*].a\.b.*[0]`)
	f.Fuzz(func(t *testing.T, text string) {
		if steps, problem := spec.JSONPath(text); problem == "" && (len(steps) == 0 || len(steps) > spec.MaxPathSteps) {
			t.Errorf("%q has %d steps", text, len(steps))
		}
	})
}
