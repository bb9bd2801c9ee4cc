package measure

import (
	"encoding/json"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
)

func TestPoliciesAreAccepted(t *testing.T) {
	largest := largestPolicy(7)
	if largest == largestPolicy(8) {
		t.Fatal("two updates are equal: the second would be no update")
	}
	if n := len(largest); n > largestRules || n < largestRules*9/10 {
		t.Errorf("largest policy has %d bytes of %d", n, largestRules)
	}
	for name, doc := range map[string]string{
		"refuse":  string(spec.Encode(policy(spec.OverflowRefuse, false))),
		"stream":  string(spec.Encode(policy(spec.OverflowStream, true))),
		"largest": largest,
	} {
		if _, err := spec.Parse([]byte(doc)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBodiesAreChatRequestsOfTheirSize(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		size int
	}{"clean": {clean(), 1024}, "personal": {withPersonal(1024), 1024}, "large": {withPersonal(1 << 20), 1 << 20}} {
		var chat struct {
			Model    string
			Messages []struct{ Content string }
		}
		if err := json.Unmarshal(c.body, &chat); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if chat.Model != "gpt-4" || len(chat.Messages) != 2 {
			t.Errorf("%s: %+v", name, chat)
		}
		if n := len(c.body); n > c.size || n < c.size-8 {
			t.Errorf("%s: %d bytes, want %d", name, n, c.size)
		}
	}
}
