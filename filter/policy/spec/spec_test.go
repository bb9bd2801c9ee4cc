package spec_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/automaton"
	"github.com/weirmesh/weir/filter/policy/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// good is a document that uses every field.
func good() *spec.Document {
	return &spec.Document{
		Version: spec.Version,
		Settings: spec.Settings{
			TenantHeader: "x-tenant-id", UserHeader: "x-user-id",
			TrustedPeers: []string{"spiffe://weir.test/edge"},
			HoldLimit:    1 << 20, WorkerHoldLimit: 16 << 20,
			Overflow: spec.OverflowStream, MaxDepth: 64, Record: true, Evidence: spec.EvidenceOpen,
		},
		Models: []spec.Model{
			{
				Name: "gpt-4", Aliases: []string{"gpt-4-latest", "openai/gpt-4"}, Versions: []string{"v1", "v2"},
				Salt: "s\"\u4e2d\n", VersionHeader: "x-model-version",
				Rules:   []spec.VersionRule{{Header: "x-canary", Value: "always", Version: "v2"}},
				Renames: true,
			},
			{Name: "minilm", Estimate: &spec.Estimate{1_020, 1_700, 780, 1_290, 180, 1_210, 530, 820, 1_000, 4_170, 0}, GRPC: true},
		},
		Limits: []spec.Limit{
			{
				Name: "per-tenant", Models: []string{"gpt-4"}, Key: []spec.KeyPart{
					{Source: spec.KeyTenant}, {Source: spec.KeyModel}, {Source: spec.KeyHeader, Name: "x-team"}, {Source: spec.KeyClaim, Name: `org.https://a\.example/team`},
				},
				Semantic: spec.Semantic{
					FloorMilli: 20_000, RefillMilli: 300, TokensPerUnit: 512, MaxTokens: 512, DefaultOutput: 512, DefaultKMilli: 600,
					Models: []spec.SemanticModel{{Model: "gpt-4", BaseMilli: 100_000, KMilli: 1_200}},
				},
				OnFailure: spec.FailOpen, Missing: spec.MissingRefuse,
			},
			{Name: "all", Mode: spec.LimitTokens, Scope: spec.ScopeShared, Tokens: spec.Tokens{
				Capacity: 1000, RefillMilli: 10_000, DefaultOutput: 16, InputMilli: 500, CachedMilli: 100, OutputMilli: 4000,
			}, Shortage: spec.Shortage{LeastOutput: 24, Stop: true, GraceMs: 1500}},
			{Name: "all/requests", Mode: spec.LimitRequests, Requests: spec.Rate{Capacity: 60, RefillMilli: 60_000, Per: 60}},
			{Name: "all/inFlight", Mode: spec.LimitInFlight, InFlight: spec.InFlight{Capacity: 4, Lease: 600}},
			{Name: "all/quota", Mode: spec.LimitRequests, Requests: spec.Rate{Capacity: 1000, Window: 86_400}},
			{Name: "elsewhere", Mode: spec.LimitTokens, Scope: spec.ScopeService, Key: []spec.KeyPart{{Source: spec.KeyUser}}, Tokens: spec.Tokens{DefaultOutput: 32}},
		},
		Overrides: []spec.Override{{Key: 0x1234567890abcdef, Capacity: 5, RefillMilli: 1}, {Key: 1<<64 - 1, Capacity: 500, RefillMilli: 1, Per: 60}},
		Redactions: []spec.Redaction{{
			Name: "personal", Models: []string{"minilm"},
			Entities: []spec.Entity{
				{Kind: spec.EntityPhone}, {Kind: spec.EntityBankCard, Mode: spec.RedactTag},
				{Kind: spec.EntityEmail, Mode: spec.RedactToken, Directions: spec.DirectionRequest, Basis: "GDPR Art. 32"},
				{Kind: spec.EntityResidentID, Shape: spec.ShapeArticle, Directions: spec.DirectionRequest | spec.DirectionResponse},
			},
			OnFailure: spec.FailOpen, Threshold: 60, Skip: []string{"messages[*].content[*].text", `meta.data`}, HoldBytes: 256,
			Encodings: spec.EncodingsRefuse,
			Custom: []spec.Custom{
				{Name: "PROJECTS", Mode: spec.RedactTag, PartOfWord: true, Basis: "GDPR Art. 32"}, {Name: "staff-2", Mode: spec.RedactBlock, Directions: spec.DirectionResponse},
			},
			Automaton: append(append([]byte(automaton.Magic), make([]byte, automaton.HeadBytes-len(automaton.Magic))...), 0),
		}},
		Attributes: []spec.Attribute{{Source: spec.FromHeader, Name: "x-key"}, {Source: spec.FromMetadata, Name: "tier \u4e2d"}, {Source: spec.FromUser}},
		Trees: []spec.Tree{
			{
				Model: "gpt-4", Sticky: 0, Texts: []string{"", "gold", "a"},
				Leaves: []spec.TreeLeaf{{Version: 1, Name: 2}, {Version: -1}},
				Nodes: []spec.TreeNode{
					{Test: spec.TestEqual, Attribute: 1, Text: 1, Yes: -1, No: 1},
					{Test: spec.TestSlot, Attribute: 2, Text: 0, Modulus: 100, Low: 0, High: 9, Yes: -1, No: 2},
					{Test: spec.TestMinute, Modulus: -300, Low: -spec.MaxTreeNumber, High: spec.MaxTreeNumber, Yes: -1, No: -2},
				},
			},
			{Model: "minilm", Sticky: -1, Texts: []string{"x"}, Leaves: []spec.TreeLeaf{{Version: -1}}},
		},
	}
}

func TestRoundTrip(t *testing.T) {
	canonical := spec.Encode(good())
	d, err := spec.Parse(canonical)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d, good()) {
		t.Errorf("parsed:\n%+v\nwant:\n%+v", d, good())
	}
	golden := filepath.Join("testdata", "document.json")
	if *update {
		if err := os.WriteFile(golden, append(canonical, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if want = bytes.TrimSpace(want); !bytes.Equal(canonical, want) {
		t.Errorf("canonical bytes:\n%s\nwant:\n%s", canonical, want)
	}
}

func TestAnyOrderAndSpace(t *testing.T) {
	d, err := spec.Parse([]byte("{ \"version\" : \"weir.dev/v1alpha1\",\n\"models\":[ {\"name\":\"a\", \"aliases\":[ ] } ]," +
		"\t\"settings\":{\"workerHoldLimit\":9,\"h\\u006fldLimit\":9,\"maxDepth\":2}}"))
	if err != nil {
		t.Fatal(err)
	}
	want := &spec.Document{Version: spec.Version, Models: []spec.Model{{Name: "a"}},
		Settings: spec.Settings{HoldLimit: 9, WorkerHoldLimit: 9, MaxDepth: 2}}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("%+v", d)
	}
}

// TestValidate changes one thing of the good document at a time.
func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		change func(d *spec.Document)
		want   string
	}{
		{func(d *spec.Document) { d.Version = "v2" }, `version: must be "weir.dev/v1alpha1"`},
		{func(d *spec.Document) { d.Settings.TenantHeader = "X-Tenant" }, `settings.tenantHeader: "X-Tenant" is no header name`},
		{func(d *spec.Document) { d.Settings.UserHeader = "x-weir-user" }, `settings.userHeader: "x-weir-user" is no header name`},
		{func(d *spec.Document) { d.Settings.UserHeader = ":path" }, `settings.userHeader: ":path" is no header name`},
		{func(d *spec.Document) { d.Settings.TrustedPeers[0] = "https://a" }, `settings.trustedPeers[0]: "https://a" is no SPIFFE ID`},
		{func(d *spec.Document) { d.Settings.TrustedPeers[0] = "spiffe://a/../b" }, `settings.trustedPeers[0]:`},
		{func(d *spec.Document) { d.Settings.TrustedPeers[0] = "spiffe://A/b" }, `settings.trustedPeers[0]:`},
		{func(d *spec.Document) { d.Settings.TrustedPeers[0] = "spiffe://a/" }, `settings.trustedPeers[0]:`},
		{func(d *spec.Document) { d.Settings.HoldLimit = 0 }, `settings.holdLimit: must be from 1 to 67108864`},
		{func(d *spec.Document) { d.Settings.WorkerHoldLimit = 9 }, `settings.workerHoldLimit: must be from 1048576 to 1073741824`},
		{func(d *spec.Document) { d.Settings.MaxDepth = 513 }, `settings.maxDepth: must be from 1 to 512`},
		{func(d *spec.Document) { d.Settings.Overflow = 2 }, `settings.overflow: has no such value`},
		{func(d *spec.Document) { d.Settings.Evidence = 3 }, `settings.evidence: has no such value`},
		{func(d *spec.Document) { d.Settings.Record = false }, `settings.evidence: is of records, and there are none`},

		{func(d *spec.Document) { d.Attributes[1] = d.Attributes[0] }, `attributes[1]: attributes are sorted by source and name`},
		{func(d *spec.Document) { d.Attributes[0].Name = "X-Key" }, `attributes[0]: "X-Key" is no header name`},
		{func(d *spec.Document) { d.Attributes[0].Name = "" }, `attributes[0]: needs a name`},
		{func(d *spec.Document) { d.Attributes[2].Name = "x" }, `attributes[2]: needs a name`},
		{func(d *spec.Document) { d.Attributes[2].Source = 99 }, `attributes[2]: has no such value`},
		{func(d *spec.Document) { d.Attributes[1] = spec.Attribute{Source: spec.FromClaim, Name: "a..b"} }, `attributes[1]: "a..b" is no path to a claim`},
		{func(d *spec.Document) { d.Trees[0].Model = "gpt-4-latest" }, `trees[0]: "gpt-4-latest" is an alias`},
		{func(d *spec.Document) { d.Trees[0].Model = "no" }, `trees[0]: no model "no"`},
		{func(d *spec.Document) { d.Trees[1].Model = "gpt-4" }, `trees[1]: trees are sorted by model`},
		{func(d *spec.Document) { d.Trees[0].Sticky = 1 }, `trees[0]: its sticky header is none`},
		{func(d *spec.Document) { d.Trees[0].Sticky = -2 }, `trees[0]: its sticky header is none`},
		{func(d *spec.Document) { d.Trees[0].Leaves = nil }, `trees[0]: has no leaf`},
		{func(d *spec.Document) { d.Trees[0].Texts[0] = "\x00" }, `trees[0]: a text must be`},
		{func(d *spec.Document) { d.Trees[0].Leaves[0].Version = 2 }, `trees[0]: a leaf has a version`},
		{func(d *spec.Document) { d.Trees[0].Leaves[0].Name = 3 }, `trees[0]: a leaf has a version`},
		{func(d *spec.Document) { d.Trees[0].Nodes[1].Yes = 1 }, `trees[0]: node 1 is out of its bounds`},
		{func(d *spec.Document) { d.Trees[0].Nodes[1].No = 3 }, `trees[0]: node 1 is out of its bounds`},
		{func(d *spec.Document) { d.Trees[0].Nodes[2].No = -3 }, `trees[0]: node 2 is out of its bounds`},
		{func(d *spec.Document) { d.Trees[0].Nodes[0].Attribute = 3 }, `trees[0]: node 0 is out of its bounds`},
		{func(d *spec.Document) { d.Trees[0].Nodes[0].Text = 3 }, `trees[0]: node 0 is out of its bounds`},
		{func(d *spec.Document) { d.Trees[0].Nodes[1].Modulus = 0 }, `trees[0]: node 1 is out of its bounds`},
		{func(d *spec.Document) { d.Trees[0].Nodes[1].Low = 10 }, `trees[0]: node 1 is out of its bounds`},
		{func(d *spec.Document) { d.Trees[0].Nodes[2].Modulus = 1440 }, `trees[0]: node 2 is out of its bounds`},
		{func(d *spec.Document) { d.Trees[0].Nodes[2].Test = 9 }, `trees[0]: node 2 is out of its bounds`},

		{func(d *spec.Document) { d.Models[0].Name = "" }, `models[0].name: "" is no name`},
		{func(d *spec.Document) { d.Models[0].Name = "a b" }, `models[0].name: "a b" is no name`},
		{func(d *spec.Document) { d.Models[0].Name = "-a" }, `models[0].name: "-a" is no name`},
		{func(d *spec.Document) { d.Models[0].Name = strings.Repeat("a", 129) }, `models[0].name: "aaa`},
		{func(d *spec.Document) { d.Models[0].Aliases[0] = "a@b" }, `models[0].aliases[0]: "a@b" is no name`},
		{func(d *spec.Document) { d.Models[0], d.Models[1] = d.Models[1], d.Models[0] }, `models[1].name: "gpt-4" must stand before "minilm"`},
		{func(d *spec.Document) { d.Models[1].Name = "gpt-4" }, `models[1].name: "gpt-4" already names model "gpt-4"`},
		{func(d *spec.Document) { d.Models[1].Aliases = []string{"x", "gpt-4"} }, `models[1].aliases[1]: "gpt-4" already names model "gpt-4"`},
		{func(d *spec.Document) { d.Models[0].Aliases[1] = "gpt-4-latest" }, `models[0].aliases[1]: "gpt-4-latest" already names model "gpt-4"`},
		{func(d *spec.Document) { d.Models[0].Versions[1] = "v/2" }, `models[0].versions[1]: "v/2" is no version`},
		{func(d *spec.Document) { d.Models[0].Versions[1] = "v1" }, `models[0].versions[1]: "v1" stands here twice`},
		{func(d *spec.Document) { d.Models[0].Salt = strings.Repeat("s", 129) }, `models[0].salt: is longer than 128 bytes`},
		{func(d *spec.Document) { d.Models[0].VersionHeader = "a:b" }, `models[0].versionHeader: "a:b" is no header name`},
		{func(d *spec.Document) { d.Models[1].Estimate[spec.ClassHan] = -1 }, `models[1].estimate[5]: must be from 0 to 1000000`},
		{func(d *spec.Document) { d.Models[1].Estimate[spec.ClassMessages] = 1_000_001 }, `models[1].estimate[9]: must be from 0 to 1000000`},
		{func(d *spec.Document) { d.Models[0].Rules[0].Version = "v9" }, `models[0].rules[0].version: model "gpt-4" has no version "v9"`},
		{func(d *spec.Document) { d.Models[0].Rules[0].Value = "" }, `models[0].rules[0].value: must be 1 to 256 bytes`},
		{func(d *spec.Document) { d.Models[0].Rules[0].Value = "a\nb" }, `models[0].rules[0].value: must be 1 to 256 bytes`},
		{func(d *spec.Document) { d.Models[0].Rules = append(d.Models[0].Rules, d.Models[0].Rules[0]) }, `models[0].rules[1]: can never match`},
		{func(d *spec.Document) {
			for c := 'a'; c <= 'z'; c++ {
				d.Models[0].Rules = append(d.Models[0].Rules,
					spec.VersionRule{Header: "h-" + string(c), Value: "1", Version: "v1"},
					spec.VersionRule{Header: "g-" + string(c), Value: "1", Version: "v1"})
			}
		}, `models: name more than 32 different headers`},

		{func(d *spec.Document) { d.Limits[0].Name = "" }, `limits[0].name: "" is no name`},
		{func(d *spec.Document) { d.Limits[1].Name = "per-tenant" }, `limits[1].name: "per-tenant" already names another limit`},
		{func(d *spec.Document) { d.Limits[0].Models = []string{"gpt-4", "x"} }, `limits[0].models[1]: no model "x"`},
		{func(d *spec.Document) { d.Limits[0].Models = []string{"gpt-4-latest"} }, `limits[0].models[0]: "gpt-4-latest" is an alias: use its model's name "gpt-4"`},
		{func(d *spec.Document) { d.Limits[0].Models = []string{"gpt-4", "gpt-4"} }, `limits[0].models[1]: "gpt-4" stands here twice`},
		{func(d *spec.Document) {
			d.Limits[0].Key = []spec.KeyPart{{Source: spec.KeyUser}, {Source: spec.KeyUser}}
		}, `limits[0].key[1]: "user" stands here twice`},
		{func(d *spec.Document) { d.Limits[0].Key[0].Source = 9 }, `limits[0].key[0]: has no such value`},
		{func(d *spec.Document) { d.Settings.TenantHeader = "" }, `limits[0].key[0]: tenant needs settings.tenantHeader`},
		{func(d *spec.Document) { d.Limits[0].Mode = 7 }, `limits[0].mode: has no such value`},
		{func(d *spec.Document) { d.Limits[0].Key[2].Name = "X-Team" }, `limits[0].key[2]: "X-Team" is no header name`},
		{func(d *spec.Document) { d.Limits[0].Key[2].Name = "" }, `limits[0].key[2]: only header and claim have a name`},
		{func(d *spec.Document) { d.Limits[0].Key[0].Name = "x" }, `limits[0].key[0]: only header and claim have a name`},
		{func(d *spec.Document) { d.Limits[0].Key[3].Name = "a..b" }, `limits[0].key[3]: "a..b" is no path to a claim`},
		{func(d *spec.Document) { d.Limits[0].Key[3].Name = "a\\b" }, `limits[0].key[3]: "a\\b" is no path to a claim`},
		{func(d *spec.Document) { d.Limits[0].Missing = 7 }, `limits[0].missing: has no such value`},
		{func(d *spec.Document) { d.Limits[2].Requests.Capacity = 0 }, `limits[2].requests.capacity: must be from 1`},
		{func(d *spec.Document) { d.Limits[2].InFlight.Lease = 1 }, `limits[2].inFlight: the mode is requests`},
		{func(d *spec.Document) { d.Limits[3].Requests.Capacity = 1 }, `limits[3].requests: the mode is inFlight`},
		{func(d *spec.Document) { d.Limits[3].InFlight.Lease = 0 }, `limits[3].inFlight.lease: must be from 1`},
		{func(d *spec.Document) { d.Limits[4].Requests.RefillMilli = 1 }, `limits[4].requests.window: a quota has no refill`},
		{func(d *spec.Document) { d.Overrides[1].Key = 0 }, `overrides[1].hash: must be above the one before`},
		{func(d *spec.Document) { d.Overrides[0].Capacity = 0 }, `overrides[0].capacity: must be from 1`},
		{func(d *spec.Document) { d.Limits[0].OnFailure = 7 }, `limits[0].onFailure: has no such value`},
		{func(d *spec.Document) { d.Limits[0].Scope = 3 }, `limits[0].scope: has no such value`},
		{func(d *spec.Document) { d.Limits[0].Scope = spec.ScopeService }, `limits[0].scope: a service counts tokens or requests`},
		{func(d *spec.Document) { d.Limits[5].Tokens.Capacity = 7 }, `limits[5].scope: a service counts tokens or requests`},
		{func(d *spec.Document) { d.Limits[5].Shortage.LeastOutput = 7 }, `limits[5].scope: a service counts tokens or requests`},
		{func(d *spec.Document) { d.Limits[5].Key[0].Source = spec.KeyAPIKey }, `limits[5].key: no service is told of an apiKey`},
		{func(d *spec.Document) { d.Limits[0].Tokens.Capacity = 7 }, `limits[0].tokens: the mode is semantic`},
		{func(d *spec.Document) { d.Limits[1].Semantic.MaxTokens = 7 }, `limits[1].semantic: the mode is tokens`},
		{func(d *spec.Document) { d.Limits[0].Semantic.TokensPerUnit = 0 }, `limits[0].semantic.tokensPerUnit: must be from 1 to 1000000000`},
		{func(d *spec.Document) { d.Limits[0].Semantic.RefillMilli = -1 }, `limits[0].semantic.refillMilli: must be from 0`},
		{func(d *spec.Document) { d.Limits[0].Semantic.Models[0].Model = "q" }, `limits[0].semantic.models[0].model: no model "q"`},
		{func(d *spec.Document) { d.Limits[0].Semantic.Models[0].Model = "minilm" }, `limits[0].semantic.models[0].model: can never match`},
		{func(d *spec.Document) {
			d.Limits[0].Semantic.Models = append(d.Limits[0].Semantic.Models, d.Limits[0].Semantic.Models[0])
		}, `limits[0].semantic.models[1].model: "gpt-4" stands here twice`},
		{func(d *spec.Document) { d.Limits[0].Semantic.Models[0].KMilli = 1_000_001 }, `limits[0].semantic.models[0].kMilli: must be from 0 to 1000000`},
		{func(d *spec.Document) { d.Limits[1].Shortage.GraceMs = spec.MaxGraceMs + 1 }, `limits[1].graceMs: must be from 0 to 600000`},
		{func(d *spec.Document) { d.Limits[1].Shortage.LeastOutput = -1 }, `limits[1].leastOutput: must be from 0`},
		{func(d *spec.Document) { d.Limits[1].Shortage.Stop = false }, `limits[1].graceMs: is for stop alone`},
		{func(d *spec.Document) { d.Limits[1].Tokens.Capacity = 0 }, `limits[1].tokens.capacity: must be from 1`},
		{func(d *spec.Document) {
			for c := 'a'; c <= 'q'; c++ {
				l := d.Limits[1]
				l.Name = string(c)
				d.Limits = append(d.Limits, l)
			}
		}, `limits[16]: model "gpt-4" has more than 16 limits`},

		{func(d *spec.Document) { d.Redactions[0].Name = "" }, `redactions[0].name: "" is no name`},
		{func(d *spec.Document) { d.Redactions[0].Models[0] = "x" }, `redactions[0].models[0]: no model "x"`},
		{func(d *spec.Document) { d.Redactions[0].Entities, d.Redactions[0].Custom = nil, nil }, `redactions[0].entities: must name at least one kind, unless there are custom entries`},
		{func(d *spec.Document) { d.Redactions[0].Entities[1].Kind = spec.EntityPhone }, `redactions[0].entities[1].kind: "phone" stands here twice`},
		{func(d *spec.Document) { d.Redactions[0].Entities[1].Kind = spec.EntityKinds }, `redactions[0].entities[1].kind: has no such value`},
		{func(d *spec.Document) { d.Redactions[0].Entities[1].Mode = spec.RedactionModes }, `redactions[0].entities[1].mode: has no such value`},
		{func(d *spec.Document) { d.Redactions[0].Entities[1].Directions = 4 }, `redactions[0].entities[1].directions: has no such value`},
		{func(d *spec.Document) { d.Redactions[0].Entities[0].Shape = 4 }, `redactions[0].entities[0].shape: has no such value`},
		{func(d *spec.Document) { d.Redactions[0].Entities[1].Shape = spec.ShapeFull }, `redactions[0].entities[1].shape: is for mode mask alone`},
		{func(d *spec.Document) { d.Redactions[0].Entities[2].Directions = spec.DirectionResponse }, `redactions[0].entities[2].directions: mode token needs the direction request`},
		{func(d *spec.Document) { d.Redactions[0].Entities[2].Basis = strings.Repeat("x", 65) }, `redactions[0].entities[2].basis: must be at most 64 bytes`},
		{func(d *spec.Document) {
			d.Redactions[0].Entities[2] = spec.Entity{Kind: spec.EntityJWT, Mode: spec.RedactFormat}
		}, `redactions[0].entities[2].mode: "jwt" has no form that could be kept`},
		{func(d *spec.Document) { d.Redactions[0].Custom[1].Name = "PROJECTS" }, `redactions[0].custom[1].name: "PROJECTS" stands here twice`},
		{func(d *spec.Document) { d.Redactions[0].Custom[0].Name = "a<b" }, `redactions[0].custom[0].name: "a<b" is no name`},
		{func(d *spec.Document) { d.Redactions[0].Custom[0].Mode = spec.RedactionModes }, `redactions[0].custom[0].mode: has no such value`},
		{func(d *spec.Document) { d.Redactions[0].Custom[0].Mode = spec.RedactToken }, `redactions[0].custom[0].mode: "token" is for kinds of entities alone`},
		{func(d *spec.Document) { d.Redactions[0].Custom[0].Directions = 4 }, `redactions[0].custom[0].directions: has no such value`},
		{func(d *spec.Document) { d.Redactions[0].Custom[0].Basis = strings.Repeat("x", 65) }, `redactions[0].custom[0].basis: must be at most 64 bytes without control characters`},
		{func(d *spec.Document) { d.Redactions[0].Custom = nil }, `redactions[0].automaton: is for custom entries, and there are none`},
		{func(d *spec.Document) { d.Redactions[0].Automaton = []byte("WDA1") }, `redactions[0].automaton: is no table`},
		{func(d *spec.Document) {
			d.Redactions[0].Automaton = append(d.Redactions[0].Automaton, make([]byte, spec.MaxAutomatonBytes)...)
		}, `redactions[0].automaton: has more than 1835008 bytes`},
		{func(d *spec.Document) { d.Redactions[0].Threshold = 101 }, `redactions[0].threshold: must be from 0 to 100`},
		{func(d *spec.Document) { d.Redactions[0].HoldBytes = 5000 }, `redactions[0].holdBytes: must be from 0 to 4096`},
		{func(d *spec.Document) { d.Redactions[0].Encodings = 3 }, `redactions[0].encodings: has no such value`},
		{func(d *spec.Document) { d.Redactions[0].Skip[1] = d.Redactions[0].Skip[0] }, `redactions[0].skip[1]: "messages[*].content[*].text" stands here twice`},
		{func(d *spec.Document) { d.Redactions[0].Skip[0] = "a..b" }, `redactions[0].skip[0]: "a..b" has a name that is missing or longer than 64 bytes`},
		{func(d *spec.Document) { d.Redactions = append(d.Redactions, d.Redactions[0]) }, `redactions[1].name: "personal" already names another redaction`},
		{func(d *spec.Document) {
			second := d.Redactions[0]
			second.Name, second.Models = "other", []string{"gpt-4", "minilm"}
			d.Redactions = append(d.Redactions, second)
		}, `redactions[1].models[1]: model "minilm" already has redaction "personal"`},
		{func(d *spec.Document) {
			second := d.Redactions[0]
			second.Name, second.Models = "other", nil
			d.Redactions = append(d.Redactions, second)
		}, `redactions[1].models: model "minilm" already has redaction "personal"`},
	} {
		d := good()
		tt.change(d)
		if err := spec.Validate(d); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%v; want %s", err, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                                  `malformed JSON at byte 0: unexpected end of the JSON text`,
		`{"version":"x",}`:                  `malformed JSON at byte 15: unexpected character`,
		`[[[[[[[[[1]]]]]]]]]`:               `malformed JSON at byte 8: nested too deep`,
		`[]`:                                `must be an object`,
		`{"x":1}`:                           `x: unknown field`,
		`{"version":"a","version":"b"}`:     `version: stands here twice`,
		`{"version":1}`:                     `version: must be a string`,
		`{"version":null}`:                  `version: must be a string`,
		`{"settings":[]}`:                   `settings: must be an object`,
		`{"settings":{"holdLimit":"1MiB"}}`: `settings.holdLimit: must be a whole number`,
		`{"settings":{"holdLimit":1.5}}`:    `settings.holdLimit: must be a whole number`,
		`{"settings":{"holdLimit":1e3}}`:    `settings.holdLimit: must be a whole number`,
		`{"settings":{"holdLimit":99999999999999999999}}`:                      `settings.holdLimit: is too large a number`,
		`{"settings":{"holdLimit":4294967297}}`:                                `settings.holdLimit: is too large a number`,
		`{"settings":{"record":1}}`:                                            `settings.record: must be true or false`,
		`{"settings":{"overflow":"drop"}}`:                                     `settings.overflow: "drop" is not one of refuse, stream`,
		`{"settings":{"evidence":"ajar"}}`:                                     `settings.evidence: "ajar" is not one of none, closed, open`,
		`{"settings":{"trustedPeers":"a"}}`:                                    `settings.trustedPeers: must be a list`,
		`{"models":[{"name":"a"},{"nam":"b"}]}`:                                `models[1].nam: unknown field`,
		`{"models":[{"estimate":[1,2]}]}`:                                      `models[0].estimate: must have 11 numbers`,
		`{"models":[{"estimate":[1,2,3,4,5,6,7,8,9,10,11,12]}]}`:               `models[0].estimate: has more than 11 items`,
		`{"models":[{"estimate":[1,2.5]}]}`:                                    `models[0].estimate[1]: must be a whole number`,
		`{"models":[{"estimate":{}}]}`:                                         `models[0].estimate: must be a list`,
		`{"models":[{"rules":[{"header":"a"},{"headers":"b"}]}]}`:              `models[0].rules[1].headers: unknown field`,
		`{"limits":[{"key":["model","client"]}]}`:                              `limits[0].key[1]: "client" is not one of model, tenant, user, peer, apiKey, clientIP, header, claim`,
		`{"limits":[{"mode":"units"}]}`:                                        `limits[0].mode: "units" is not one of semantic, tokens, requests, inFlight`,
		`{"limits":[{"semantic":{"models":[{"model":"a","base":1}]}}]}`:        `limits[0].semantic.models[0].base: unknown field`,
		`{"redactions":[{"entities":[{"mode":"mask"}]}]}`:                      `redactions[0].entities[0].kind: is missing`,
		`{"redactions":[{"entities":[{"kind":"phone"}]}]}`:                     `redactions[0].entities[0].mode: is missing`,
		`{"redactions":[{"entities":[{"kind":"name","mode":"mask"}]}]}`:        `redactions[0].entities[0].kind: "name" is not one of phone, email, residentID, bankCard, landline, phoneUS, phoneIntl, passport, permit, plate, uscc, hkID, twID, ssn, iban, ip, mac, imei, vin, macauID, awsKey, githubToken, slackToken, openaiKey, googleKey, jwt, privateKey, bearer, urlPassword`,
		`{"redactions":[{"threshold":300}]}`:                                   `redactions[0].threshold: must be from 0 to 100`,
		`{"redactions":[{"holdBytes":-1}]}`:                                    `redactions[0].holdBytes: must be from 0 to 4096`,
		`{"redactions":[{"entities":[{"directions":["up"]}]}]}`:                `redactions[0].entities[0].directions[0]: "up" is not one of request, response`,
		`{"redactions":[{"entities":[{"directions":["request","request"]}]}]}`: `redactions[0].entities[0].directions: "request" stands here twice`,
		`{"redactions":[{"onFailure":"ajar"}]}`:                                `redactions[0].onFailure: "ajar" is not one of closed, open`,
		`{"version":"` + strings.Repeat("a", spec.MaxDocumentBytes) + `"}`:     `the document is larger than 4718592 bytes`,
		`{"settings":{"holdLimit":1,"workerHoldLimit":1,"maxDepth":1}}`:        `version: must be "weir.dev/v1alpha1"`,
		`{"settings":{"holdLimit":-9223372036854775808},"version":"v"}`:        `settings.holdLimit: is too large a number`,
	} {
		if _, err := spec.Parse([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.60s: %v; want %s", text, err, want)
		}
	}
}

func TestEnumNames(t *testing.T) {
	for k := range spec.EntityKind(spec.EntityKinds) {
		if got, err := spec.ParseEntityKind(k.String()); err != nil || got != k {
			t.Errorf("%s: %v, %v", k, got, err)
		}
	}
	for m := range spec.RedactionMode(spec.RedactionModes) {
		if got, err := spec.ParseRedactionMode(m.String()); err != nil || got != m {
			t.Errorf("%s: %v, %v", m, got, err)
		}
	}
	for name, want := range map[string]spec.Direction{"request": spec.DirectionRequest, "response": spec.DirectionResponse} {
		if got, err := spec.ParseDirection(name); err != nil || got != want || got.String() != name {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if k := spec.EntityURLPassword.String(); k != "urlPassword" {
		t.Errorf("the last kind is %s", k)
	}
	if got := spec.KeySource(9).String(); got != "invalid" {
		t.Errorf("name of no value is %q", got)
	}
}

func TestNames(t *testing.T) {
	models := []spec.Model{{Name: "a", Aliases: []string{"z", "m"}}, {Name: "b"}, {Name: "c", Aliases: []string{"aa"}}}
	names := spec.NewNames(models)
	for name, want := range map[string]int{"a": 0, "z": 0, "m": 0, "b": 1, "c": 2, "aa": 2, "": -1, "zz": -1, "ab": -1} {
		if got := names.Find(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
	if name, model := names.At(1); names.Len() != 6 || name != "aa" || model != 2 {
		t.Errorf("%d names, second %q of %d", names.Len(), name, model)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(spec.Encode(good()))
	f.Add([]byte(`{"version":"weir.dev/v1alpha1","settings":{"holdLimit":1,"workerHoldLimit":1,"maxDepth":1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := spec.Parse(text)
		if err != nil {
			return
		}
		canonical := spec.Encode(d)
		again, err := spec.Parse(canonical)
		if err != nil {
			t.Fatalf("canonical bytes %s: %v", canonical, err)
		}
		if !bytes.Equal(spec.Encode(again), canonical) {
			t.Fatalf("%s is not canonical", canonical)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := spec.Encode(good())
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := spec.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
