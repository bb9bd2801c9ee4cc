package dryrun_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/dryrun"
)

const byClaim = `apiVersion: weir.dev/v1alpha1
kind: TrustDomain
metadata: {name: weir.test}
spec: {source: development, xdsServer: "spiffe://weir.test/xds-server"}
---
apiVersion: weir.dev/v1alpha1
kind: Gateway
metadata: {name: local}
spec:
  envoys: ["spiffe://weir.test/envoy"]
  listeners: [{name: http, address: 127.0.0.1, port: 10000}]
JWT---
apiVersion: weir.dev/v1alpha1
kind: Model
metadata: {name: chat}
spec: {versions: [{name: v1, endpoints: ["127.0.0.1:1"], insecure: true}, {name: v2, endpoints: ["127.0.0.1:1"], insecure: true}]}
---
apiVersion: weir.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat}
spec:
  model: chat
  policy: [{name: lab, when: 'claim("team") == "lab"', version: v2}]
  split: [{version: v1, weight: 100}]
`

// TestTokens: what is said of claims and tokens that are not there.
func TestTokens(t *testing.T) {
	const verified = `  jwt: {providers: [{name: a, issuer: a, anyAudience: true, jwks: {remote: {uri: "http://keys.test", insecure: true}}}]}` + "\n"
	const note = "Model/chat: the route looks at claims, and Gateway/local verifies no tokens (spec.jwt): claims are absent there"
	for _, jwt := range []string{"", verified} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(strings.Replace(byClaim, "JWT", jwt, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := dryrun.Check(t.Context(), folder(dir), module(t))
		if err != nil || strings.Contains(report.Format(), note) != (jwt == "") {
			t.Errorf("with %q: %v, report is\n%s", jwt, err, report.Format())
		}
		built, problems := catalog.Load(t.Context(), folder(dir)...)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		request := &dryrun.Request{Method: http.MethodGet, Path: "/v2/models/chat"}
		explanation, err := dryrun.Explain(t.Context(), built, module(t), dryrun.Sample{Request: request})
		if err != nil {
			t.Fatal(err)
		}
		if text := explanation.Format(); strings.Contains(text, "token      not verified here: every claim is absent\n") != (jwt != "") {
			t.Errorf("with %q: explanation is\n%s", jwt, text)
		}
	}
}
