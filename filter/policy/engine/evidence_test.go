package engine_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/automaton"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// TestRecordAsEvidence has a record say who asked, in which trace and under which policy,
// and what was found, without a value, a name of a person or a client's words in it.
func TestRecordAsEvidence(t *testing.T) {
	d := document()
	d.Settings.Evidence = spec.EvidenceOpen
	d.Redactions[0].Entities[0].Basis = "PIPL Art. 51"
	d.Redactions[0].Entities[1].Mode = spec.RedactHMAC
	s, p, h := newStream(), compile(t, d), newHost()
	h.peer = "spiffe://weir.test/app"
	h.properties = map[string]string{"metadata\x00filter_metadata\x00envoy.filters.http.jwt_authn\x00payload\x00sub": "alice@corp.example"}
	headers(s, p, h, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-request-id", "0f8fad5b-d9cb-469f-a165-70867728950e")
	s.Body([]byte(`{"model":"gpt-4","max_tokens":8,"a":"13800138000 13900139000 13800138000 bob@example.com"}`), true)
	record := string(s.Record())
	var got map[string]any
	if err := json.Unmarshal([]byte(record), &got); err != nil {
		t.Fatalf("%s: %v", record, err)
	}
	for name, want := range map[string]any{
		"time": 1.7e12, "trace": "0af7651916cd43dd8448eb211c80319c", "request": "0f8fad5b-d9cb-469f-a165-70867728950e", "peer": "spiffe://weir.test/app",
		"found": []any{
			map[string]any{"kind": "phone", "direction": "request", "mode": "mask", "count": 3.0, "basis": "PIPL Art. 51"},
			map[string]any{"kind": "email", "direction": "request", "mode": "hmac", "count": 1.0},
		},
	} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if values := got["values"].([]any); len(values) != 3 || !strings.Contains(record, `{"kind":"email","direction":"request","digest":"`) {
		t.Errorf("values %v, want one for each", values)
	}
	if policy := got["policy"].(map[string]any); policy["name"] != "personal" || len(policy["version"].(string)) != 16 {
		t.Errorf("policy %v", policy)
	}
	if len(got["operator"].(string)) != 16 || len(got["evaluation"].(string)) != 16 {
		t.Errorf("%s", record)
	}
	for _, secret := range []string{"alice", "bob", "138001"} {
		if strings.Contains(record, secret) {
			t.Errorf("%s holds %q", record, secret)
		}
	}
	other := *d
	other.Redactions = []spec.Redaction{d.Redactions[0]}
	other.Redactions[0].Threshold = 90
	headers(s, compile(t, &other), h)
	s.Body([]byte(`{"model":"gpt-4"}`), true)
	if strings.Contains(string(s.Record()), got["policy"].(map[string]any)["version"].(string)) {
		t.Errorf("another policy has the same version: %s", s.Record())
	}
}

// What clients write where ids stand is not repeated unless it has the form of one.
func TestEvidenceRepeatsNoClientsWords(t *testing.T) {
	d := document()
	d.Settings.Evidence = spec.EvidenceOpen
	s, p, h := newStream(), compile(t, d), newHost()
	for _, c := range [][2]string{
		{"traceparent", "00-13800138000-b7ad6b7169203331-01"}, {"traceparent", "00-0af7651916cd43dd8448eb211c8X319c-b7ad6b7169203331-01"},
		{"traceparent", "13800138000"}, {"x-request-id", "13800138000"}, {"x-request-id", "0f8fad5b-d9cb-469f-a165-70867728950X"},
		{"x-request-id", "0f8fad5b_d9cb-469f-a165-708677289501"},
	} {
		headers(s, p, h, c[0], c[1])
		s.Body([]byte(`{"model":"gpt-4"}`), true)
		if record := string(s.Record()); strings.Contains(record, `"trace"`) || strings.Contains(record, `"request"`) {
			t.Errorf("%s: %s", c[1], record)
		}
	}
}

// TestCustomEvidence has a record name the custom entries that matched, each with its basis,
// and the policy's version change with a word, a basis and a name.
func TestCustomEvidence(t *testing.T) {
	d := document()
	d.Settings.Evidence = spec.EvidenceOpen
	d.Redactions[0].Custom = []spec.Custom{{Name: "A", Mode: spec.RedactTag, Basis: "GDPR Art. 32"}, {Name: "B", Mode: spec.RedactMask}}
	d.Redactions[0].Automaton = letters('x', 'y')
	s, h := newStream(), newHost()
	headers(s, compile(t, d), h)
	s.Body([]byte(`{"model":"gpt-4","a":"x y x"}`), true)
	record := string(s.Record())
	for _, want := range []string{
		`"redactions":{"custom_A":2,"custom_B":1}`,
		`"found":[{"kind":"custom","name":"A","direction":"request","mode":"tag","count":2,"basis":"GDPR Art. 32"},{"kind":"custom","name":"B","direction":"request","mode":"mask","count":1}]`,
		`"values":[{"kind":"custom","name":"A","direction":"request","digest":"`,
	} {
		if !strings.Contains(record, want) {
			t.Errorf("%s\nlacks %s", record, want)
		}
	}
	versions := map[string]string{versionOf(t, record): "the policy"}
	for name, change := range map[string]func(r *spec.Redaction){
		"a word":        func(r *spec.Redaction) { r.Automaton = letters('x', 'z') },
		"a name":        func(r *spec.Redaction) { r.Custom[1].Name = "C" },
		"a mode":        func(r *spec.Redaction) { r.Custom[1].Mode = spec.RedactDrop },
		"a direction":   func(r *spec.Redaction) { r.Custom[1].Directions = spec.DirectionRequest },
		"parts":         func(r *spec.Redaction) { r.Custom[1].PartOfWord = true },
		"a basis":       func(r *spec.Redaction) { r.Custom[1].Basis = "PIPL Art. 51" },
		"an entity's":   func(r *spec.Redaction) { r.Entities[0].Basis = "PIPL Art. 51" },
		"a mask's form": func(r *spec.Redaction) { r.Entities[0].Shape = spec.ShapeFull },
	} {
		other := *d
		other.Redactions = []spec.Redaction{d.Redactions[0]}
		r := &other.Redactions[0]
		r.Custom, r.Entities = slices.Clone(r.Custom), slices.Clone(r.Entities)
		change(r)
		headers(s, compile(t, &other), h)
		s.Body([]byte(`{"model":"gpt-4"}`), true)
		version := versionOf(t, string(s.Record()))
		if same, ok := versions[version]; ok {
			t.Errorf("with another %s the version is that of %s", name, same)
		}
		versions[version] = name
	}
}

// versionOf returns the version of the policy in a record.
func versionOf(t *testing.T, record string) string {
	t.Helper()
	var got struct{ Policy struct{ Version string } }
	if err := json.Unmarshal([]byte(record), &got); err != nil || len(got.Policy.Version) != 16 {
		t.Fatalf("%s: %v", record, err)
	}
	return got.Policy.Version
}

// letters makes a table of two words of one letter each, one for each entry: a root that
// leads to two nodes, which accept.
func letters(a, b byte) []byte {
	var head [automaton.HeadBytes]byte
	copy(head[:], automaton.Magic)
	head[8+int(a)], head[8+int(b)] = 1, 2
	return append(head[:], 2, 1, 2, 9, 0, 0, 12, 0, 0, automaton.Accepts, 1, 0, automaton.Accepts, 2, 0)
}
