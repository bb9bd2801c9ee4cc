package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/echo"
)

// What the modes make of values on the way through Envoy, and what a blocked one is
// answered with.
func TestModesOfRedaction(t *testing.T) {
	s := boot(t,
		change{"redactionpolicy.yaml", `{kind: phone, mode: mask,`, `{kind: phone, mode: hmac,`},
		change{"redactionpolicy.yaml", `{kind: email, mode: mask,`, `{kind: email, mode: format,`},
		change{"redactionpolicy.yaml", `{kind: bankCard, mode: mask}`, `{kind: bankCard, mode: drop}`},
		change{"redactionpolicy.yaml", `{kind: ip, mode: hmac}`, `{kind: ip, mode: detect}`},
	)
	a := s.post(t, "/v1/chat/completions", chat("13812345678, zhang@example.com, 4111111111111111, 10.1.2.3, 11010519491231002X"))
	var got struct{ Received echo.Received }
	if err := json.Unmarshal(a.body, &got); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	want := regexp.MustCompile(`"content":"<PHONE:[b-t]{10}>, [a-z]{5}@[a-z]{7}\.\d[a-z]{2}, , 10\.1\.2\.3, 110\*{13}2X"`)
	if !want.MatchString(got.Received.Body) {
		t.Errorf("the model received %s, want %s", got.Received.Body, want)
	}

	key := `-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----`
	a = s.post(t, "/v1/chat/completions", chat("sign with "+key))
	if err := refused(a, http.StatusForbidden, "personal_data"); err != nil || !strings.Contains(string(a.body), ": 1 privateKey.") || strings.Contains(string(a.body), "MIIE") {
		t.Errorf("%v: %s", err, a.body)
	}
}
