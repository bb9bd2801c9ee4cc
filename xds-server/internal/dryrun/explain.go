package dryrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/wasmhost"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/routetree"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// Sample is a request and where it arrives.
type Sample struct {
	// Gateway names the gateway; it may be empty if there is only one.
	Gateway string
	// Peer is the SPIFFE ID that the client proves; the zero value is none.
	Peer    spiffeid.ID
	Request *Request
}

// Record is the decision that the filter publishes as filter state wasm.weir.
type Record struct {
	Outcome          string         `json:"outcome"` // forward, or the code of the reply
	Model            string         `json:"model"`
	Version          string         `json:"version"`   // forced; empty: the route picks
	VersionBy        string         `json:"versionBy"` // path, header, rule, tree or route
	Rule             string         `json:"rule"`      // name of the rule or step that the tree came to
	Path             string         `json:"path"`      // the answers to the tree's tests: 1 is yes
	Bucket           *int           `json:"bucket"`
	Tenant           string         `json:"tenant"` // a hash
	PromptTokens     int64          `json:"promptTokens"`
	Counts           TextCounts     `json:"counts"`
	OutputTokens     int64          `json:"outputTokens"`
	AskedTokens      *int64         `json:"askedTokens"` // output cap before it was lowered to OutputTokens
	TemperatureMilli int64          `json:"temperatureMilli"`
	Limits           []Charge       `json:"limits"`
	Redactions       map[string]int `json:"redactions"`
	Unscanned        bool           `json:"unscanned"`
}

// Charge is what one limit wanted and what came of it.
type Charge struct {
	Name           string `json:"name"`
	Key            string `json:"key"`   // hash of the bucket's name
	State          string `json:"state"` // taken, refused, failed, skipped, givenBack or asked
	CostMicro      int64  `json:"costMicro"`
	CapacityMicro  int64  `json:"capacityMicro"`
	RemainingMicro int64  `json:"remainingMicro"`
}

// Explanation is everything that happens to a sample request.
type Explanation struct {
	Gateway string
	Request *Request
	Record  Record
	// Coding is the content coding that Envoy undoes before; empty: none.
	Coding string
	// Tokens: the gateway verifies tokens, which is not done here.
	Tokens bool
	// RandomBucket: the request names no user, so the next one may go elsewhere.
	RandomBucket bool
	// Shared names the limits whose budget is one over all Envoys.
	Shared []string
	// Rule is the rule that forced the version; nil: none did.
	Rule *spec.VersionRule
	// Steps are the request's way through the policy's tree.
	Steps []routetree.Step
	// Slots is what the slots of the hash get that decided last; nil: no hash did.
	Slots *routetree.Slots
	// Estimate is how many tokens of the model one of each class of text is.
	Estimate spec.Estimate
	// Redaction names the policy that applies to the model; empty: none.
	Redaction string
	// Service keeps the budgets of the limits that it is asked for; nil: there is none.
	Service *catalog.RateLimitService
	// Windows is how much there is of each of those limits.
	Windows map[string]catalog.Window
	// Keys are what the buckets of each limit are kept by, in words.
	Keys map[string]string
	// Reply is the filter's answer; nil: the request goes on.
	Reply *wasmhost.Reply
	// Destination is where it goes; nil: nowhere.
	Destination *Destination
	// Version is the version there, and the model's route; nil: nowhere.
	Version *catalog.Version
	Route   *catalog.Route
	// Headers and Body are what the upstream gets.
	Headers wasmhost.Headers
	Body    []byte
}

// Explain runs a sample through module, the bytes of filter.wasm, with full
// budgets, as if its Envoy had all of those that are shared, and follows it to its
// cluster.
func Explain(ctx context.Context, c *catalog.Catalog, module []byte, sample Sample) (*Explanation, error) {
	recording, gateway, err := record(c, sample.Gateway)
	if err != nil {
		return nil, err
	}
	document, err := translate.Policy(recording, gateway)
	if err != nil {
		return nil, fmt.Errorf("policy of Gateway/%s: %w", gateway.Name, err)
	}
	filter, err := wasmhost.Load(ctx, module, wasmhost.Compiler)
	if err != nil {
		return nil, fmt.Errorf("load the filter module: %w", err)
	}
	defer filter.Close(ctx)
	var coding string
	sample.Request, coding = decompressed(recording, sample.Request)
	outcome, decision, err := decide(ctx, filter, document, sample, 0)
	if err != nil {
		return nil, err
	}
	_, again, err := decide(ctx, filter, document, sample, 1)
	if err != nil {
		return nil, err
	}
	explanation := &Explanation{
		Gateway: gateway.Name, Request: sample.Request, Coding: coding, Record: *decision, Reply: outcome.Reply,
		RandomBucket: decision.Bucket != nil && again.Bucket != nil && *decision.Bucket != *again.Bucket,
		Redaction:    redactionOf(c, decision.Model),
		Keys:         keysOf(c),
		Shared:       shared(c),
		Tokens:       gateway.Tokens != nil,
		Service:      gateway.RateLimit,
		Windows:      windows(c),
		Rule:         ruleOf(c, decision, sample.Request),
		Estimate:     estimateOf(c, decision.Model),
	}
	if !outcome.Forwarded {
		return explanation, nil
	}
	explanation.Headers, explanation.Body = outcome.Headers, outcome.Body
	return explanation, explanation.locate(c, module, gateway)
}

// shared names the limits whose budget is one over all Envoys.
func shared(c *catalog.Catalog) []string {
	var names []string
	for _, l := range c.Limits {
		if l.Scope == spec.ScopeShared {
			names = append(names, l.Name)
		}
	}
	return names
}

// windows is how much there is of each limit whose budget a service keeps.
func windows(c *catalog.Catalog) map[string]catalog.Window {
	all := make(map[string]catalog.Window)
	for _, l := range c.Limits {
		if l.Scope == spec.ScopeService {
			all[l.Name] = l.Window
		}
	}
	return all
}

// whole are the limits with each shared budget for one Envoy.
func whole(limits []*catalog.Limit) []*catalog.Limit {
	all := slices.Clone(limits)
	for i, l := range all {
		if l.Scope == spec.ScopeShared {
			local := *l
			local.Scope = spec.ScopeLocal
			all[i] = &local
		}
	}
	return all
}

// record is the catalog with the gateway's decisions recorded, on whole budgets.
func record(c *catalog.Catalog, name string) (*catalog.Catalog, *catalog.Gateway, error) {
	recording := *c
	recording.Limits = whole(c.Limits)
	recording.Gateways = slices.Clone(c.Gateways)
	var names []string
	for i, original := range c.Gateways {
		gateway := *original
		gateway.Settings.Record = true
		gateway.Settings.Evidence = spec.EvidenceNone // nobody here hands out keys
		recording.Gateways[i] = &gateway
		if gateway.Name == name || name == "" && len(c.Gateways) == 1 {
			return &recording, &gateway, nil
		}
		names = append(names, gateway.Name)
	}
	if name == "" {
		return nil, nil, fmt.Errorf("there are several gateways, so one must be named: %s", strings.Join(names, ", "))
	}
	return nil, nil, fmt.Errorf("there is no Gateway %q, only %s", name, strings.Join(names, ", "))
}

// chance is a source of randomness that is the same in every run: what differs
// between two of them was left to chance.
type chance byte

func (c chance) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)*2 + byte(c)*89
	}
	return len(p), nil
}

// decide runs the request through a fresh VM.
func decide(ctx context.Context, filter *wasmhost.Module, document []byte, sample Sample, luck chance) (*wasmhost.Outcome, *Record, error) {
	vm, err := filter.NewVM(ctx, wasmhost.Options{Random: luck})
	if err != nil {
		return nil, nil, fmt.Errorf("start the filter: %w", err)
	}
	defer vm.Close(ctx)
	if err := vm.Configure(document); err != nil {
		return nil, nil, fmt.Errorf("the filter refuses the policy: %w", err)
	}
	request := wasmhost.Request{
		Method: sample.Request.Method, Path: sample.Request.Path,
		Headers: sample.Request.Headers, Body: sample.Request.Body,
	}
	if !sample.Peer.IsZero() {
		request.Peer = sample.Peer.String()
	}
	outcome, err := vm.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("run the request through the filter: %w", err)
	}
	state, published := outcome.FilterState[filterState]
	if !published {
		return nil, nil, errors.New("the filter published no decision")
	}
	decision := &Record{}
	if err := json.Unmarshal(state, decision); err != nil {
		return nil, nil, fmt.Errorf("read the filter's decision %q: %w", state, err)
	}
	return &outcome, decision, nil
}

// filterState is the name of the record.
const filterState = "wasm.weir"

// locate follows a request that goes on to its cluster.
func (e *Explanation) locate(c *catalog.Catalog, module []byte, gateway *catalog.Gateway) error {
	snapshots, err := translate.Translate(c, translate.Options{Module: module})
	if err != nil {
		return fmt.Errorf("translate the resources: %w", err)
	}
	if e.Record.Model == "" {
		return nil // the filter lets it go on to no model: Envoy has no route
	}
	if e.Destination, err = Follow(snapshots[gateway.Envoys[0]], e.Headers); err != nil {
		return fmt.Errorf("follow the routes: %w", err)
	}
	model := c.Model(e.Record.Model)
	e.Route = &model.Route
	e.climb(model)
	for i := range model.Versions {
		if model.Versions[i].Name == e.Destination.Version {
			e.Version = &model.Versions[i]
		}
	}
	return nil
}

// keysOf says by what the buckets of each limit are kept.
func keysOf(c *catalog.Catalog) map[string]string {
	keys := make(map[string]string, len(c.Limits))
	for _, l := range c.Limits {
		var parts []string
		for _, part := range l.Key {
			parts = append(parts, part.String())
		}
		keys[l.Name] = "one for all"
		if len(parts) > 0 {
			keys[l.Name] = "by " + strings.Join(parts, ", ")
		}
	}
	return keys
}

func redactionOf(c *catalog.Catalog, model string) string {
	for _, r := range c.Redactions {
		if model != "" && (len(r.Models) == 0 || slices.Contains(r.Models, model)) {
			return r.Name
		}
	}
	return ""
}

// ruleOf is the first rule of the model that the request's headers match.
func ruleOf(c *catalog.Catalog, decision *Record, request *Request) *spec.VersionRule {
	model := c.Model(decision.Model)
	if model == nil || decision.VersionBy != "rule" {
		return nil
	}
	for i, rule := range model.Route.Rules {
		if value, _ := wasmhost.Headers(request.Headers).Get(rule.Header); value == rule.Value {
			return &model.Route.Rules[i]
		}
	}
	return nil
}
