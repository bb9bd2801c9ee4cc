package e2e

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/xds-server/internal/echo"
	"github.com/weirmesh/weir/xds-server/internal/inference"
)

// issuer makes tokens, as an identity provider does.
type issuer struct {
	name, audience string
	algorithm      jose.SignatureAlgorithm

	mu  sync.Mutex
	id  string        // of the key; guarded by mu
	key crypto.Signer // guarded by mu
}

func newIssuer(t *testing.T, name, audience string, algorithm jose.SignatureAlgorithm) *issuer {
	t.Helper()
	i := &issuer{name: name, audience: audience, algorithm: algorithm}
	i.rotate(t)
	return i
}

// rotate puts a new key in the place of the old one.
func (i *issuer) rotate(t *testing.T) {
	t.Helper()
	var key crypto.Signer = newKey(t)
	if i.algorithm == jose.RS256 {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.id, i.key = i.id+"+", key
}

// keys is the JSON Web Key Set.
func (i *issuer) keys(t *testing.T) string {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: i.id, Algorithm: string(i.algorithm)}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// token is one that is good for an hour, with further or other claims.
func (i *issuer) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: i.algorithm, Key: jose.JSONWebKey{Key: i.key, KeyID: i.id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": i.name, "aud": i.audience, "sub": "nobody", "exp": time.Now().Add(time.Hour).Unix(),
	}).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// guarded is a gateway that verifies tokens. Those of corp are RS256 with keys in a
// file; those of partner ES256 with keys that Envoy fetches over TLS.
type guarded struct {
	*plane
	folder        string // of certificates and keys
	corp, partner *issuer
}

const guardedPolicies = `---
apiVersion: weir.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat}
spec:
  model: chat
  policy:
    - {name: lab, when: 'claim("org.team") == "lab"', version: v2}
  split: [{version: v1, weight: 100}]
---
apiVersion: weir.dev/v1alpha1
kind: TokenLimit
metadata: {name: by-subject}
spec:
  models: [costly]
  key: ["claim:sub", "claim:org.team"]
  missing: refuse
  requests: {perDay: 1, burst: 2}
`

func startGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{folder: t.TempDir(), corp: newIssuer(t, "https://corp.test/", "weir", jose.RS256), partner: newIssuer(t, "partner", "weir-too", jose.ES256)}
	model := httptest.NewServer(echo.Handler())
	t.Cleanup(model.Close)
	address := strings.TrimPrefix(model.URL, "http://")
	_, remote := startInference(t, "one")
	keys := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, g.partner.keys(t)) }))
	t.Cleanup(keys.Close)
	write(t, filepath.Join(g.folder, "corp.json"), g.corp.keys(t))
	write(t, filepath.Join(g.folder, "authority.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: keys.Certificate().Raw})))
	providers := `
    providers:
      - {name: corp, issuer: "https://corp.test/", audiences: [weir], jwks: {file: corp.json}}
      - name: partner
        issuer: partner
        audiences: [other, weir-too]
        from: ["header:x-partner-token", "query:token"]
        forward: true
        jwks: {remote: {uri: "` + keys.URL + `/keys.json", authorityFile: authority.pem, refresh: 1s}}
`
	g.plane = startPlane(t, func(p *plane) {
		p.gatewayHas(t, "", "  accessLog: true\n  jwt:"+providers)
		p.write(t, "second.yaml", fmt.Sprintf(`apiVersion: weir.dev/v1alpha1
kind: Gateway
metadata: {name: lenient}
spec:
  envoys: [%q]
  listeners: [{name: http, address: 127.0.0.1, port: %d}]
  identity: {user: {header: x-user-id}}
  jwt:
    requirement: optional%s`, planeEnvoy, p.second, providers))
		p.write(t, "models.yaml", strings.Split(twoVersions("chat", address, 0, ""), "---\napiVersion: weir.dev/v1alpha1\nkind: ModelRoute")[0]+
			sole("costly", address)+strings.Replace(sole("remote", remote), "insecure: true", "insecure: true, grpc: true", 1)+guardedPolicies)
	}, "--certificates", g.folder)
	return g
}

// ask posts a chat request with headers given as name, value, ...
func (g *guarded) ask(t *testing.T, port int, path, model string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+loopback(port)+path, strings.NewReader(chatFor(model)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	a, err := send(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const chatPath = "/v1/chat/completions"

// TestTokens sends tokens of every kind through everything that ships.
func TestTokens(t *testing.T) {
	g := startGuarded(t)
	t.Run("refusals", func(t *testing.T) { testTokenRefusals(t, g) })
	t.Run("protocols", func(t *testing.T) { testTokenProtocols(t, g) })
	t.Run("good", func(t *testing.T) { testGoodTokens(t, g) })
	t.Run("optional", func(t *testing.T) { testOptionalTokens(t, g) })
	t.Run("claims", func(t *testing.T) { testClaims(t, g) })
	t.Run("rotation", func(t *testing.T) { testKeyRotation(t, g) })
}

func testTokenRefusals(t *testing.T, g *guarded) {
	stranger := newIssuer(t, g.corp.name, g.corp.audience, jose.RS256)
	unsigned := strings.Join([]string{"eyJhbGciOiJub25lIn0", strings.Split(g.corp.token(t, nil), ".")[1], ""}, ".")
	for _, tt := range []struct{ name, token, want string }{
		{"none", "", "Jwt is missing"},
		{"not one", "x.y.z", ""},
		{"wrong key", stranger.token(t, nil), "Jwt verification fails"},
		{"unsigned", unsigned, ""},
		{"expired", g.corp.token(t, map[string]any{"exp": time.Now().Add(-2 * time.Minute).Unix()}), "Jwt is expired"},
		{"not yet", g.corp.token(t, map[string]any{"nbf": time.Now().Add(2 * time.Minute).Unix()}), "Jwt not yet valid"},
		{"for ever", g.corp.token(t, map[string]any{"exp": nil}), ""},
		{"another audience", g.corp.token(t, map[string]any{"aud": "somebody"}), "Audiences in Jwt are not allowed"},
		{"another issuer", g.corp.token(t, map[string]any{"iss": "somebody"}), "Jwt issuer is not configured"},
		{"another's", g.partner.token(t, nil), ""}, // its tokens stand elsewhere
	} {
		for _, port := range []int{g.gateway, g.second} {
			if tt.token == "" && port == g.second {
				continue
			}
			var headers []string
			if tt.token != "" {
				headers = []string{"authorization", "Bearer " + tt.token}
			}
			a := g.ask(t, port, chatPath, "chat", headers...)
			if err := refused(a, http.StatusUnauthorized, ""); err != nil || !strings.Contains(string(a.body), "The request needs a valid token: "+tt.want) {
				t.Errorf("%s: %v, %d %s", tt.name, err, a.status, a.body)
			}
			if !strings.HasPrefix(a.header.Get("www-authenticate"), "Bearer realm=") {
				t.Errorf("%s: challenge %q", tt.name, a.header.Get("www-authenticate"))
			}
		}
	}
}

// testTokenProtocols refuses a token in the protocol of the client, whatever that says
// of the filter's mark.
func testTokenProtocols(t *testing.T, g *guarded) {
	elsewhere := "Bearer " + g.corp.token(t, map[string]any{"aud": "somebody"})
	for path, want := range map[string]string{
		chatPath:                 `{"error":{"code":"jwt_authn_access_denied{`,
		"/v1/messages":           `{"error":{"message":"The request needs a valid token: `,
		"/v2/models/chat/infer":  `{"error":"The request needs a valid token: `,
		"/nobody/knows/this":     `{"error":{"code":"jwt_authn_access_denied{`,
		"/v1/models?x=/v2/":      `{"error":{"code":"jwt_authn_access_denied{`,
		"/v2/models/none?x=%2F/": `{"error":"The request needs a valid token: `,
		"/v2/health/ready/":      `{"error":"The request needs a valid token: `,
		"/v2/health/../models":   `{"error":"The request needs a valid token: `,
	} {
		for name, headers := range map[string][]string{"none": nil, "another audience": {"authorization", elsewhere}, "marked": {"x-weir-replied", "1"}, "marked, another audience": {"x-weir-replied", "1", "authorization", elsewhere}} {
			a := g.ask(t, g.gateway, path, "chat", headers...)
			if a.status != http.StatusUnauthorized || !strings.HasPrefix(string(a.body), want) || a.header.Get("content-type") != "application/json" {
				t.Errorf("%s, %s: %d %s", path, name, a.status, a.body)
			}
			if path == "/v1/messages" && !strings.Contains(string(a.body), `"type":"authentication_error"},"type":"error"}`) {
				t.Errorf("%s: %s", path, a.body)
			}
		}
	}
	conn, err := grpc.NewClient("passthrough:///"+loopback(g.gateway), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := inference.NewGRPCInferenceServiceClient(conn)
	for name, token := range map[string]string{"no token": "", "another audience": elsewhere} {
		_, err := client.ModelInfer(withToken(t, token), question("remote", "", "hello", 0))
		if got := status.Convert(err); got.Code() != codes.Unauthenticated || !strings.Contains(got.Message(), "The request needs a valid token: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.ModelInfer(withToken(t, "Bearer "+g.corp.token(t, nil)), question("remote", "", "hello", 0)); err != nil {
		t.Errorf("good token: %v", err)
	}
}

// testGoodTokens: a verified token goes no further, unless that is wanted.
func testGoodTokens(t *testing.T, g *guarded) {
	for name, headers := range map[string][]string{
		"RS256, keys of a file":    {"authorization", "Bearer " + g.corp.token(t, nil)},
		"ES256, keys over TLS":     {"x-partner-token", g.partner.token(t, nil)},
		"two audiences":            {"authorization", "Bearer " + g.corp.token(t, map[string]any{"aud": []string{"a", "weir"}})},
		"within the skew of clock": {"authorization", "Bearer " + g.corp.token(t, map[string]any{"exp": time.Now().Add(-30 * time.Second).Unix()})},
	} {
		a := g.ask(t, g.gateway, chatPath, "chat", headers...)
		forwarded := strings.Contains(string(a.body), headers[1])
		if a.status != http.StatusOK || forwarded != (headers[0] != "authorization") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := g.ask(t, g.gateway, chatPath+"?token="+g.partner.token(t, nil), "chat"); a.status != http.StatusOK {
		t.Errorf("in the query: %d %s", a.status, a.body)
	}
	if _, err := get(t.Context(), "http://"+loopback(g.gateway)+"/v2/health/ready"); err != nil {
		t.Errorf("a load balancer: %v", err)
	}
	if a := g.ask(t, g.gateway, chatPath, "unknown", "authorization", "Bearer "+g.corp.token(t, nil)); refused(a, http.StatusNotFound, "model_not_found") != nil {
		t.Errorf("what the filter refuses: %d %s", a.status, a.body)
	}
}

func testOptionalTokens(t *testing.T, g *guarded) {
	if a := g.ask(t, g.second, chatPath, "chat"); a.status != http.StatusOK || a.header.Get("x-weir-version") != "v1" {
		t.Errorf("no token: %d %s", a.status, a.body)
	}
	if a := g.ask(t, g.second, chatPath, "chat", "x-partner-token", g.partner.token(t, map[string]any{"org": map[string]any{"team": "lab"}})); a.header.Get("x-weir-version") != "v2" {
		t.Errorf("good token: %d %s", a.status, a.body)
	}
	if err := refused(g.ask(t, g.second, chatPath, "costly"), http.StatusUnauthorized, "missing_key"); err != nil {
		t.Errorf("a limit that needs a claim: %v", err)
	}
}

// testClaims: limits and routes go by the claims of the token that was verified.
func testClaims(t *testing.T, g *guarded) {
	token := func(subject string, team any) []string {
		return []string{"authorization", "Bearer " + g.corp.token(t, map[string]any{"sub": subject, "org": map[string]any{"team": team}})}
	}
	for _, who := range [][]string{token("alice", "red"), token("bob", "red"), token("alice", "blue"), token("dave", 7), token("dave", 8)} {
		for i, want := range []int{200, 200, 429} {
			if a := g.ask(t, g.gateway, chatPath, "costly", who...); a.status != want {
				t.Errorf("request %d: %d %s", i, a.status, a.body)
			}
		}
	}
	for team, want := range map[string]string{"lab": "v2", "red": "v1", "labs": "v1"} {
		if a := g.ask(t, g.gateway, chatPath, "chat", token("carol", team)...); a.header.Get("x-weir-version") != want {
			t.Errorf("team %s: %d, version %s", team, a.status, a.header.Get("x-weir-version"))
		}
	}
}

// testKeyRotation replaces keys where they come from: no listener changes.
func testKeyRotation(t *testing.T, g *guarded) {
	for name, who := range map[string]*issuer{"authorization": g.corp, "x-partner-token": g.partner} {
		with := func(token string) []string {
			if who == g.corp {
				token = "Bearer " + token
			}
			return []string{name, token}
		}
		before := who.token(t, nil)
		who.rotate(t)
		write(t, filepath.Join(g.folder, "corp.json"), g.corp.keys(t))
		after := who.token(t, nil)
		eventually(t, 30*time.Second, func() error {
			if a := g.ask(t, g.gateway, chatPath, "chat", with(after)...); a.status != http.StatusOK {
				return fmt.Errorf("the new key is not taken: %s", a.body)
			}
			if a := g.ask(t, g.gateway, chatPath, "chat", with(before)...); a.status != http.StatusUnauthorized {
				return errors.New("the old key is still taken")
			}
			return nil
		})
	}
	counted, err := g.envoy.Stats(t.Context(), `^http\.gw\.http\.jwt_authn\.(allowed|denied|jwks_fetch_success)$`)
	if err != nil || len(counted) != 3 {
		t.Errorf("Envoy counts %v, %v", counted, err)
	}
	for name, n := range counted {
		if n == 0 {
			t.Errorf("%s = 0", name)
		}
	}
	updates, err := g.envoy.Stats(t.Context(), `^listener_manager\.listener_(modified|in_place_updated)$`)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range updates {
		if n != 0 {
			t.Errorf("%s = %d: keys are to be replaced on their own", name, n)
		}
	}
}

func withToken(t *testing.T, token string) context.Context {
	t.Helper()
	if token == "" {
		return t.Context()
	}
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", token)
}
