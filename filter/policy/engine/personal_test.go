package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// personal is a policy whose entities have the modes.
func personal(phone, email spec.RedactionMode, failure spec.Failure) *spec.Document {
	d := document()
	d.Limits = nil
	d.Redactions = []spec.Redaction{{
		Name: "personal", OnFailure: failure,
		Entities: []spec.Entity{{Kind: spec.EntityPhone, Mode: phone}, {Kind: spec.EntityEmail, Mode: email}},
	}}
	return d
}

// A request with what is blocked is refused: with kinds and counts, in the form of the
// path, and with no value.
func TestBlock(t *testing.T) {
	p := compile(t, personal(spec.RedactBlock, spec.RedactBlock, spec.FailClosed))
	const body = `{"model":"gpt-4","messages":[{"role":"user","content":"13812345678 or 13987654321, a@example.com"}]}`
	const message = "The request holds personal data that may not be sent: 2 phone, 1 email."
	for path, want := range map[string]string{
		"/v1/chat/completions": `{"error":{"message":"` + message + `","type":"invalid_request_error","param":null,"code":"personal_data"}}`,
		"/v1/messages":         `{"type":"error","error":{"type":"permission_error","message":"` + message + `"}}`,
	} {
		for _, size := range []int{1000, 7} {
			s := newStream()
			headers(s, p, newHost(), ":method", "POST", ":path", path)
			action := engine.Hold
			for rest := []byte(body); len(rest) > 0 && action == engine.Hold; {
				n := min(size, len(rest))
				action = s.Body(rest[:n], n == len(rest))
				rest = rest[n:]
			}
			if action != engine.Reply || s.Reply().Status != 403 || string(s.Reply().Body) != want {
				t.Errorf("%s in pieces of %d: %v %d %s", path, size, action, s.Reply().Status, s.Reply().Body)
			}
			if record := string(s.Record()); strings.Contains(record, "138") || !strings.Contains(record, `"phone":2`) {
				t.Errorf("the record: %s", record)
			}
		}
	}
}

// What is blocked behind the hold limit cuts the request off; only its tag has left.
func TestBlockInStream(t *testing.T) {
	d := personal(spec.RedactBlock, spec.RedactMask, spec.FailClosed)
	d.Settings.HoldLimit, d.Settings.Overflow = 50, spec.OverflowStream
	s := newStream()
	headers(s, compile(t, d), newHost(), ":method", "POST", ":path", "/v1/chat/completions")
	body := `{"model":"gpt-4","a":"` + strings.Repeat("text ", 40) + `13812345678 and more"}`
	out, action := "", engine.Hold
	for rest := []byte(body); len(rest) > 0 && action != engine.Reply; {
		n := min(9, len(rest))
		if action = s.Body(rest[:n], n == len(rest)); action == engine.Forward {
			out += held(s)
			s.Held().Release()
		}
		rest = rest[n:]
	}
	if action != engine.Reply || s.Reply().Code != engine.CodePersonalData || strings.Contains(out, "13812345678") {
		t.Errorf("%v %s, %s left", action, s.Reply().Code, out)
	}
}

// More values than there are tokens refuse the request, or are tagged, as the policy says.
func TestTooManyTokens(t *testing.T) {
	var b strings.Builder
	for i := range 70 {
		fmt.Fprintf(&b, "user%d@example.com ", i)
	}
	body := `{"model":"gpt-4","a":"` + b.String() + `"}`
	for failure, want := range map[spec.Failure]string{spec.FailClosed: engine.CodeTooManyValues, spec.FailOpen: ""} {
		s := newStream()
		headers(s, compile(t, personal(spec.RedactMask, spec.RedactToken, failure)), newHost(), ":method", "POST", ":path", "/v1/chat/completions")
		action := s.Body([]byte(body), true)
		switch {
		case want != "" && (action != engine.Reply || s.Reply().Code != want || s.Reply().Status != 413):
			t.Errorf("%v %s", action, s.Reply().Code)
		case want == "" && (action != engine.Forward || strings.Count(held(s), "[EMAIL_") != 64 || strings.Count(held(s), "<EMAIL>") != 6):
			t.Errorf("%v %s", action, held(s))
		}
	}
}
