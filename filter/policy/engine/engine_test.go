package engine_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// host counts what it is asked for.
type host struct {
	*bucket.Memory
	now        int64
	peer       string
	properties map[string]string
	fails      int // the take that fails, counted from 1
	keys       redact.Keys

	randoms, peers, takes, gives int
}

func newHost() *host {
	h := &host{Memory: bucket.NewMemory(64), now: 1_700_000_000_000_000_000}
	h.keys.Seed(&[32]byte{1})
	return h
}

func (h *host) Keys() *redact.Keys { return &h.keys }

func (h *host) Now() int64     { return h.now }
func (h *host) Random() uint64 { h.randoms++; return 1 << 63 }
func (h *host) Peer() []byte   { h.peers++; return []byte(h.peer) }

func (h *host) Property(path string) []byte { return []byte(h.properties[path]) }

func (h *host) Take(c *bucket.Charge, now int64) (bucket.Result, error) {
	if h.takes++; h.takes == h.fails {
		return bucket.Result{}, errors.New("no store")
	}
	return h.Memory.Take(c, now)
}

func (h *host) Settle(c *bucket.Charge, actual, now int64) (int64, error) {
	h.gives++
	return h.Memory.Settle(c, actual, now)
}

// document is a policy of two models with a limit and a redaction of one of them.
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
			Name: "per-tenant", Key: []spec.KeyPart{{Source: spec.KeyTenant}, {Source: spec.KeyModel}},
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

// branching is document with a tree that looks at everything that a tree can.
func branching() *spec.Document {
	d := document()
	d.Attributes = []spec.Attribute{
		{Source: spec.FromHeader, Name: "x-key"}, {Source: spec.FromQuery, Name: "q"}, {Source: spec.FromBaggage, Name: "b"},
		{Source: spec.FromColour, Name: "colour"}, {Source: spec.FromMetadata, Name: "tier"}, {Source: spec.FromTenant},
		{Source: spec.FromUser}, {Source: spec.FromPeer},
	}
	tests := []spec.TreeNode{
		{Test: spec.TestEqual}, {Test: spec.TestPrefix, Attribute: 1}, {Test: spec.TestHas, Attribute: 2}, {Test: spec.TestEqual, Attribute: 3},
		{Test: spec.TestInteger, Attribute: 4, Low: 7, High: 9}, {Test: spec.TestModulo, Attribute: 5, Modulus: 7},
		{Test: spec.TestSlot, Attribute: 6, Modulus: 1_000_000}, {Test: spec.TestEqual, Attribute: 7}, {Test: spec.TestSecond}, {Test: spec.TestMinute},
		{Test: spec.TestWeekday, Low: 9, High: 9},
	}
	for i := range tests {
		tests[i].Yes, tests[i].No = -1, int16(i+1)
	}
	tests[len(tests)-1].No = -2
	d.Trees = []spec.Tree{{
		Model: "gpt-4", Sticky: 0, Texts: []string{"never", "leaf"},
		Leaves: []spec.TreeLeaf{{Version: 1, Name: 1}, {Version: -1, Name: 1}}, Nodes: tests,
	}}
	return d
}

// counting is document with three limits of plain tokens: 1000, 500 and 100.
func counting() *spec.Document {
	d := document()
	d.Limits = nil
	for i, capacity := range []int64{1000, 500, 100} {
		d.Limits = append(d.Limits, spec.Limit{
			Name: string(rune('a' + i)), Mode: spec.LimitTokens, Key: []spec.KeyPart{{Source: spec.KeyUser}, {Source: spec.KeyPeer}},
			Tokens: spec.Tokens{Capacity: capacity, RefillMilli: 1, DefaultOutput: 1},
		})
	}
	return d
}

func compile(t testing.TB, d *spec.Document) *engine.Program {
	t.Helper()
	p, err := engine.Compile(spec.Encode(d), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newStream() *engine.Stream { return engine.NewStream(hold.NewPool(1 << 20)) }

// headers starts a chat request.
func headers(s *engine.Stream, p *engine.Program, h engine.Host, more ...string) engine.Action {
	s.Reset(p, h)
	all := append([]string{":method", "POST", ":path", "/v1/chat/completions", "content-type", "application/json"}, more...)
	for i := 0; i < len(all); i += 2 {
		s.Header([]byte(all[i]), []byte(all[i+1]))
	}
	return s.Headers(false)
}

func held(s *engine.Stream) string {
	var b strings.Builder
	for i := range s.Held().Blocks() {
		b.Write(s.Held().Block(i))
	}
	return b.String()
}

// code returns the code of the stream's reply.
func code(t *testing.T, s *engine.Stream, action engine.Action) string {
	t.Helper()
	if action != engine.Reply {
		t.Fatalf("action %d, want a reply", action)
	}
	var body struct{ Error struct{ Code string } }
	if err := json.Unmarshal(s.Reply().Body, &body); err != nil {
		t.Fatalf("%s: %v", s.Reply().Body, err)
	}
	if s.Reply().Code != body.Error.Code || s.Reply().Details != "weir_"+body.Error.Code {
		t.Errorf("code %s, details %s, body %s", s.Reply().Code, s.Reply().Details, s.Reply().Body)
	}
	return body.Error.Code
}

func TestCompileNamesTheField(t *testing.T) {
	d := document()
	d.Limits[0].Models = []string{"minilm", "x"}
	_, err := engine.Compile(spec.Encode(d), nil)
	if err == nil || err.Error() != `limits[0].models[1]: no model "x"` {
		t.Error(err)
	}
}

// What is equal in the program before is used again; what differs is not.
func TestCompileAgain(t *testing.T) {
	first := compile(t, document())
	d := document()
	d.Settings.HoldLimit++
	d.Redactions[0].Entities = d.Redactions[0].Entities[:1]
	second, err := engine.Compile(spec.Encode(d), first)
	if err != nil {
		t.Fatal(err)
	}
	s, h := newStream(), newHost()
	headers(s, second, h)
	s.Body([]byte(`{"model":"gpt-4","a":"13800138000 alice@example.com"}`), true)
	if got, want := held(s), `{"model":"gpt-4","a":"138****8000 alice@example.com"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	third := testing.AllocsPerRun(10, func() { _, err = engine.Compile(spec.Encode(d), second) })
	fresh := testing.AllocsPerRun(10, func() { _, err = engine.Compile(spec.Encode(d), nil) })
	if err != nil || third >= fresh {
		t.Errorf("%v allocations with a program before, %v without; %v", third, fresh, err)
	}
}

// A body that comes in one piece and is not changed is not copied.
func TestUnchangedBodyIsNotCopied(t *testing.T) {
	s, p, h := newStream(), compile(t, document()), newHost()
	headers(s, p, h)
	body := []byte(`{"messages":["call 12345 or a@b, 138001380001"],"model":"gpt-4"}`)
	if a := s.Body(body, true); a != engine.Forward || s.Rewritten() || s.Held().Len() != 0 {
		t.Errorf("action %d, rewritten %v, %d bytes held", a, s.Rewritten(), s.Held().Len())
	}
	if a := s.Body(nil, true); a != engine.Forward || s.Rewritten() {
		t.Errorf("at the end: action %d, rewritten %v", a, s.Rewritten())
	}
}

// A body is decided as soon as its content-length has come, without the end flag.
func TestContentLengthEndsTheBody(t *testing.T) {
	s, p, h := newStream(), compile(t, document()), newHost()
	headers(s, p, h, "content-length", "17")
	if a := s.Body([]byte(`{"model":`), false); a != engine.Hold {
		t.Fatalf("action %d", a)
	}
	if a := s.Body([]byte(`"gpt-4"}`), false); a != engine.Forward || held(s) != `{"model":"gpt-4"}` {
		t.Fatalf("action %d, held %s", a, held(s))
	}
	if got := code(t, s, s.Body([]byte("13800138000"), false)); got != engine.CodeInvalidJSON {
		t.Errorf("more bytes: %s", got)
	}
}

func TestPoolExhausted(t *testing.T) {
	pool, p, h := hold.NewPool(hold.BlockSize), compile(t, document()), newHost()
	first, second := engine.NewStream(pool), engine.NewStream(pool)
	headers(first, p, h)
	headers(second, p, h)
	if a := first.Body([]byte(`{"model":`), false); a != engine.Hold {
		t.Fatalf("action %d", a)
	}
	if got := code(t, second, second.Body([]byte(`{"model":`), false)); got != engine.CodeOverloaded {
		t.Errorf("code %s", got)
	}
	want := []string{"content-type: application/json", "retry-after: 1", "retry-after-ms: 1000"}
	if got := lines(second.Reply().Headers); second.Reply().Status != 429 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d %q", second.Reply().Status, got)
	}
	first.Release()
	if pool.InUse() != 0 {
		t.Errorf("%d bytes in use", pool.InUse())
	}
	headers(second, p, h)
	if a := second.Body([]byte(`{"model":`), false); a != engine.Hold {
		t.Errorf("after the release: action %d", a)
	}
}

func lines(edits []engine.Edit) []string {
	var all []string
	for _, e := range edits {
		all = append(all, e.Name+": "+string(e.Value))
	}
	return all
}

// A refusal gives back what earlier limits took, so that the next request pays once.
func TestRefusalGivesBack(t *testing.T) {
	s, p, h := newStream(), compile(t, counting()), newHost()
	send := func(max string) engine.Action {
		headers(s, p, h)
		return s.Body([]byte(`{"model":"minilm","max_tokens":`+max+`}`), true)
	}
	if a := send("60"); a != engine.Forward || h.gives != 0 {
		t.Fatalf("first: action %d, %d given back", a, h.gives)
	}
	for range 20 {
		if got := code(t, s, send("60")); got != engine.CodeRateLimitExceeded {
			t.Fatalf("code %s", got)
		}
	}
	if h.gives != 40 {
		t.Errorf("%d given back, want 2 for each of 20 refusals", h.gives)
	}
	var record struct {
		Limits []struct{ Name, State string }
	}
	if err := json.Unmarshal(s.Record(), &record); err != nil || len(record.Limits) != 3 ||
		record.Limits[0].State != "givenBack" || record.Limits[1].State != "givenBack" || record.Limits[2].State != "refused" {
		t.Errorf("%s: %v", s.Record(), err)
	}
	if a := send("40"); a != engine.Forward {
		t.Errorf("what was left is gone: %s", s.Reply().Body)
	}
}

func TestStoreFailureGivesBack(t *testing.T) {
	s, p, h := newStream(), compile(t, counting()), newHost()
	h.fails = 3
	headers(s, p, h)
	got := code(t, s, s.Body([]byte(`{"model":"minilm"}`), true))
	if got != engine.CodeLimiterUnavailable || h.gives != 2 {
		t.Errorf("code %s, %d given back", got, h.gives)
	}
}

// A budget belongs to the values of its key: different users and peers have their own.
func TestKeys(t *testing.T) {
	s, p, h := newStream(), compile(t, counting()), newHost()
	spend := func(peer, user string) engine.Action {
		h.peer = peer
		headers(s, p, h, "x-user-id", user)
		return s.Body([]byte(`{"model":"minilm","max_tokens":100}`), true)
	}
	for _, who := range [][2]string{{"", ""}, {"", "a"}, {"", "b"}, {"a", ""}, {"a", "b"}, {"ab", ""}} {
		if spend(who[0], who[1]) != engine.Forward {
			t.Errorf("%q shares a bucket: %s", who, s.Reply().Body)
		}
		if spend(who[0], who[1]) != engine.Reply {
			t.Errorf("%q has more than one bucket", who)
		}
	}
}

// What costs a host call is not asked for without need.
func TestHostIsAskedLazily(t *testing.T) {
	d := document()
	d.Limits = nil
	s, p, h := newStream(), compile(t, d), newHost()
	headers(s, p, h, "x-user-id", "u")
	s.Body([]byte(`{"model":"minilm"}`), true)
	if h.randoms+h.peers+h.takes != 0 {
		t.Errorf("%d random, %d peer, %d charges", h.randoms, h.peers, h.takes)
	}
}

func TestRecord(t *testing.T) {
	s, p, h := newStream(), compile(t, document()), newHost()
	headers(s, p, h, "x-tenant-id", "secret-tenant", "x-user-id", "secret-user", "x-model-version", "v2")
	s.Body([]byte(`{"model":"gpt-4","max_tokens":8,"temperature":0.5,"a":"13800138000 13900139000 alice@example.com"}`), true)
	var got map[string]any
	if err := json.Unmarshal(s.Record(), &got); err != nil {
		t.Fatalf("%s: %v", s.Record(), err)
	}
	for name, want := range map[string]any{
		"outcome": "forward", "model": "gpt-4", "version": "v2", "versionBy": "header", "outputTokens": 8.0, "temperatureMilli": 500.0,
		"redactions": map[string]any{"phone": 2.0, "email": 1.0},
	} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	for _, secret := range []string{"secret", "138", "alice"} {
		if strings.Contains(string(s.Record()), secret) {
			t.Errorf("%s holds %q", s.Record(), secret)
		}
	}
	headers(s, p, h)
	s.Body([]byte(`{"model":"13800138000"}`), true)
	if got := string(s.Record()); got != `{"outcome":"model_not_found"}` {
		t.Errorf("%s", got)
	}
}

// A body that is not read where redaction is open is recorded as such.
func TestRecordUnscanned(t *testing.T) {
	d := document()
	d.Limits, d.Redactions[0].OnFailure = nil, spec.FailOpen
	s, p, h := newStream(), compile(t, d), newHost()
	s.Reset(p, h)
	s.Header([]byte(":method"), []byte("POST"))
	s.Header([]byte(":path"), []byte("/v2/models/gpt-4/infer"))
	s.Header([]byte("content-type"), []byte("application/octet-stream"))
	if a := s.Headers(false); a != engine.Forward {
		t.Fatalf("action %d", a)
	}
	if !strings.Contains(string(s.Record()), `"unscanned":true`) {
		t.Errorf("%s", s.Record())
	}
	if a := s.Body([]byte{0, 1}, true); a != engine.Forward || s.Rewritten() {
		t.Errorf("action %d, rewritten %v", a, s.Rewritten())
	}
}

// Many x-weir-* headers are no mistake any more.
func TestManyClientHeaders(t *testing.T) {
	s, p, h := newStream(), compile(t, document()), newHost()
	var more []string
	for i := range 200 {
		more = append(more, "x-weir-"+strings.Repeat("y", i), "1")
	}
	if got := code(t, s, headers(s, p, h, more...)); got != engine.CodeInvalidParameter {
		t.Errorf("code %s", got)
	}
	if headers(s, p, h, more[:20]...) != engine.Hold || len(s.Edits()) != 10 {
		t.Errorf("%d edits", len(s.Edits()))
	}
}

// In a stream above the hold limit, each call hands out its own part.
func TestStreaming(t *testing.T) {
	d := document()
	d.Settings.HoldLimit, d.Settings.Overflow = 40, spec.OverflowStream
	s, p, h := newStream(), compile(t, d), newHost()
	headers(s, p, h)
	if a := s.Body([]byte(`{"model":"gpt-4","a":"138001`), false); a != engine.Hold {
		t.Fatalf("action %d", a)
	}
	out, rest := "", `38000 and a longer text with alice@example.com in it"}`
	for len(rest) > 0 {
		n := min(7, len(rest))
		switch s.Body([]byte(rest[:n]), n == len(rest)) {
		case engine.Forward:
			out += held(s)
			s.Held().Release()
		case engine.Reply:
			t.Fatalf("%s", s.Reply().Body)
		}
		rest = rest[n:]
	}
	if want := `{"model":"gpt-4","a":"138****8000 and a longer text with a****@example.com in it"}`; out != want {
		t.Errorf("%s, want %s", out, want)
	}
	if got := s.Counts(); got[spec.EntityPhone] != 1 || got[spec.EntityEmail] != 1 {
		t.Errorf("counts %v", got)
	}
}

// Nothing is allocated once pool and stream are warm, in whatever pieces.
func TestNoAllocation(t *testing.T) {
	tagged := document()
	for i := range tagged.Redactions[0].Entities {
		tagged.Redactions[0].Entities[i].Mode = spec.RedactTag
	}
	for policy, d := range map[string]*spec.Document{"mask": document(), "tag": tagged, "three limits": counting(), "tree": branching(),
		"token and hmac": personal(spec.RedactToken, spec.RedactHMAC, spec.FailClosed), "format": personal(spec.RedactFormat, spec.RedactFormat, spec.FailClosed)} {
		p, s, h := compile(t, d), newStream(), newHost()
		for name, body := range bodies() {
			r := newRequest(body)
			for _, size := range []int{64 << 10, 100, 1} {
				if n := testing.AllocsPerRun(20, func() { serve(s, p, h, r, size) }); n != 0 {
					t.Errorf("%s, %s in pieces of %d: %v allocations", policy, name, size, n)
				}
				if s.Record(); testing.AllocsPerRun(20, func() { s.Record() }) != 0 {
					t.Errorf("%s, %s: the record is allocated", policy, name)
				}
			}
		}
	}
}
