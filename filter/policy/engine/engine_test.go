package engine_test

import (
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/spec"
)

type host struct {
	*bucket.Memory
	now  int64
	peer string
}

func (h *host) Now() int64     { return h.now }
func (h *host) Random() uint64 { return 1 << 63 }
func (h *host) Peer() []byte   { return []byte(h.peer) }

// document is a policy of two models with a limit and a redaction.
func document() *spec.Document {
	return &spec.Document{
		Version: spec.Version,
		Settings: spec.Settings{
			TenantHeader: "x-tenant-id", UserHeader: "x-user-id", TrustedPeers: []string{"spiffe://weir.test/edge"},
			HoldLimit: 1 << 20, WorkerHoldLimit: 16 << 20, MaxDepth: 64, Record: true,
		},
		Models: []spec.Model{
			{Name: "gpt-4", Aliases: []string{"gpt-4-latest"}, Versions: []string{"v1", "v2"}, Salt: "gpt-4", VersionHeader: "x-model-version"},
			{Name: "minilm"},
		},
		Limits: []spec.Limit{{
			Name: "per-tenant", Key: []spec.KeySource{spec.KeyTenant, spec.KeyModel},
			Semantic: spec.Semantic{
				FloorMilli: 20_000, RefillMilli: 300, TokensPerUnit: 512, MaxTokens: 512, DefaultOutput: 512, DefaultKMilli: 600,
				Models: []spec.SemanticModel{{Model: "gpt-4", BaseMilli: 1_000_000_000, KMilli: 1_200}},
			},
		}},
		Redactions: []spec.Redaction{{
			Name: "personal", Models: []string{"gpt-4"},
			Entities: []spec.Entity{{Kind: spec.EntityPhone}, {Kind: spec.EntityEmail}, {Kind: spec.EntityResidentID}, {Kind: spec.EntityBankCard}},
		}},
	}
}

func compile(t testing.TB, d *spec.Document) *engine.Program {
	t.Helper()
	p, err := engine.Compile(spec.Encode(d), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSmoke(t *testing.T) {
	p := compile(t, document())
	s := engine.NewStream(hold.NewPool(1 << 20))
	h := &host{Memory: bucket.NewMemory(64), now: 1}
	body := []byte(`{"messages":[{"role":"user","content":"call 13800138000 or a.b@example.com"}],"model":"gpt-4","max_tokens":10}`)
	s.Reset(p, h)
	s.Header([]byte(":method"), []byte("POST"))
	s.Header([]byte(":path"), []byte("/v1/chat/completions?x=1"))
	s.Header([]byte("content-type"), []byte("application/json"))
	t.Log(s.Headers(false))
	t.Log(s.Body(body, true), s.Rewritten(), s.Held().Len())
	for i := range s.Held().Blocks() {
		t.Log(string(s.Held().Block(i)))
	}
	for _, e := range append(s.Edits(), s.ResponseEdits()...) {
		t.Log(e.Op, e.Name, string(e.Value))
	}
	t.Log(string(s.Record()), s.Reply())
}
