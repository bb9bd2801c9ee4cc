// Package spec is the policy document: the one contract between the control
// plane, which writes it, and the filter, which reads it. Both sides run this
// package, so what the control plane accepted the filter accepts.
//
// A document is one canonical JSON object (sorted keys, no white space, no
// unknown or duplicate fields). It may import nothing but jsonscan, paths and automaton: it runs
// inside the wasm module.
package spec

// Version is the only document version that this package reads and writes.
const Version = "weir.dev/v1alpha1"

// Document is everything that one Envoy listener's filter needs to decide.
type Document struct {
	Version    string // always Version
	Settings   Settings
	Models     []Model     // sorted by Name
	Limits     []Limit     // in the order in which they are charged
	Overrides  []Override  // sorted by Key
	Redactions []Redaction // at most one applies to a model
	Attributes []Attribute // that trees look at, in the order of Attribute.Compare
	Trees      []Tree      // sorted by Model
}

// Settings are the rules of a listener that belong to no model.
type Settings struct {
	TenantHeader string   // lower-case header that names the tenant; empty: no tenant
	UserHeader   string   // lower-case header that names the user; empty: only the body's "user"
	TrustedPeers []string // SPIFFE IDs whose x-model, x-max-tokens and x-temperature are honoured

	HoldLimit       int      // bytes of body one stream may hold
	WorkerHoldLimit int      // bytes of body all streams of one worker may hold
	Overflow        Overflow // what happens to a body above HoldLimit
	MaxDepth        int      // nesting of JSON that is accepted
	Record          bool     // publish each decision as filter state wasm.weir
	Evidence        Evidence // make the records a chain; with Record alone
}

// Evidence says whether the records of a worker make a chain (package evidence), and
// what happens while the worker has no key to seal it with.
type Evidence uint8

// Evidence policies.
const (
	EvidenceNone   Evidence = iota // records are no chain
	EvidenceClosed                 // without a key 503
	EvidenceOpen                   // without a key records are unsealed
)

// Overflow says what happens to a request body that exceeds the hold limit.
type Overflow uint8

// Overflow policies. OverflowStream needs the model before the limit is
// reached; the reservation is then made when the body ends.
const (
	OverflowRefuse Overflow = iota // 413
	OverflowStream
)

// Model is one model that clients may name.
type Model struct {
	Name     string   // canonical name: the value of x-weir-model
	Aliases  []string // other names that clients use for it
	Versions []string // versions that may be forced

	// Salt seeds the user hash: bucket = murmur3_32(Salt+user) * 10000 >> 32.
	Salt string
	// VersionHeader is a lower-case header by which a client may force a
	// version; empty: clients may not.
	VersionHeader string
	// Rules force a version where a header has a value; the first match wins.
	Rules []VersionRule

	// Estimate is how long prompts and answers are taken for; nil: DefaultEstimate.
	Estimate *Estimate
	// Renames: a version has another name for the model, so routes have to know where
	// the client's stands.
	Renames bool
	// GRPC: its versions serve the Open Inference Protocol over gRPC.
	GRPC bool
}

// VersionRule forces Version for requests whose Header equals Value.
type VersionRule struct {
	Header  string // lower-case
	Value   string // exact
	Version string
}

// Limit is one budget.
type Limit struct {
	Name      string
	Models    []string  // canonical names it counts; empty: all
	Key       []KeyPart // what shares a bucket; empty: one bucket for all
	Mode      LimitMode
	Semantic  Semantic // Mode == LimitSemantic
	Tokens    Tokens   // Mode == LimitTokens
	Requests  Rate     // Mode == LimitRequests
	InFlight  InFlight // Mode == LimitInFlight
	OnFailure Failure  // the bucket store cannot be used
	Missing   Missing  // a request has no value for a part of the key
	Scope     Scope
	Shortage  Shortage // what is done where the budget is too small for the answer
}

// Shortage says what is done where a budget is too small for the answer. The zero
// value does nothing: requests that may cost more than is left are refused, and what
// an answer costs beyond its reservation is owed.
type Shortage struct {
	// LeastOutput, if above 0, lets the output cap of a request be lowered to what the
	// budget still holds, but not below this many tokens a choice.
	LeastOutput int64
	// Stop ends a stream of events well when the budget does not cover more of it.
	// What the upstream still sends is dropped, and after Grace it is cut off.
	Stop    bool
	GraceMs int64 // milliseconds; with Stop alone
}

// Scope says how many Envoys a budget is for, and who keeps it.
type Scope uint8

// Scopes.
const (
	ScopeLocal  Scope = iota // each Envoy has it whole
	ScopeShared              // all Envoys together have it, see package lease
	// ScopeService: the service has it that Envoy's ratelimit filter asks, and the
	// numbers of it too. Of LimitTokens and LimitRequests alone.
	ScopeService
)

// KeyPart is one part of a bucket's key.
type KeyPart struct {
	Source KeySource
	Name   string // of KeyHeader: the lower-case header; of KeyClaim: the path to the claim
}

// KeySource is where a part of a bucket's key comes from.
type KeySource uint8

// Sources of a bucket key.
const (
	KeyModel KeySource = iota
	KeyTenant
	KeyUser
	KeyPeer     // SPIFFE ID of the downstream peer
	KeyAPIKey   // SHA-256 of the key in authorization: Bearer, or in x-api-key
	KeyClientIP // address of the downstream, without its port
	KeyHeader   // header:NAME, a request header
	KeyClaim    // claim:PATH, a claim of the token that Envoy's jwt_authn filter verified
)

// Missing says what becomes of a request that has no value for a part of the key.
type Missing uint8

// What becomes of it.
const (
	MissingShare  Missing = iota // all such requests share a bucket
	MissingRefuse                // 401
)

// Override gives one bucket numbers of its own.
type Override struct {
	Key         uint64 // of the bucket, see bucket.Key
	Capacity    int64
	RefillMilli int64
	Per         int64
}

// LimitMode is how the cost of a request is counted.
type LimitMode uint8

// Limit modes.
const (
	LimitSemantic LimitMode = iota // weight units by model, max_tokens and temperature
	LimitTokens                    // plain tokens
	LimitRequests                  // each request is one
	LimitInFlight                  // each request is one until it ends
)

// Failure says what happens when a part of the policy cannot do its work.
type Failure uint8

// Failure policies.
const (
	FailClosed Failure = iota
	FailOpen
)

// Semantic holds the numbers of the semantic mode. Real numbers are carried in
// thousandths (milli) so that both sides compute the same integers.
//
//	capacity = max(FloorMilli, base x max_tokens / TokensPerUnit)
//	refill   = RefillMilli/1000 x capacity per second
//	cost     = (prompt + cap) / TokensPerUnit x (1 + k x temperature / 2)
type Semantic struct {
	FloorMilli    int64 // 20,000: 20 units
	RefillMilli   int64 // 300: 0.3
	TokensPerUnit int64 // 512
	MaxTokens     int64 // max_tokens that sizes the bucket: 512
	DefaultOutput int64 // output cap of a request that names none: 512
	DefaultKMilli int64 // sensitivity of a model without an entry
	Models        []SemanticModel
}

// SemanticModel is the base and the temperature sensitivity of one model.
type SemanticModel struct {
	Model     string // canonical name
	BaseMilli int64  // 100,000: 100 units
	KMilli    int64  // 1,200: 1.2
}

// Tokens holds the numbers of the plain mode. The weights say how many tokens of
// the budget one token of a kind costs, in thousandths; 0 stands for 1,000.
//
//	cost = InputMilli x (input - cached) + CachedMilli x cached + OutputMilli x output
type Tokens struct {
	Capacity      int64 // tokens
	RefillMilli   int64 // tokens per second (or per Per seconds), in thousandths
	Per           int64 // seconds; 0 stands for 1
	Window        int64 // seconds; above 0: a quota, see Rate
	DefaultOutput int64 // output cap of a request that names none

	InputMilli  int64 // of the prompt
	CachedMilli int64 // of the part of the prompt that the upstream had in a cache
	OutputMilli int64 // of the answer
}

// Rate is how much a bucket holds and what flows in. With a Window it is a quota:
// nothing flows in, but it is whole again at every full multiple of that time since
// the begin of 1970 in UTC, and who has used it up is told not to try again.
type Rate struct {
	Capacity    int64
	RefillMilli int64 // thousandths per second (or per Per seconds)
	Per         int64 // seconds; 0 stands for 1
	Window      int64 // seconds; 0: no quota
}

// InFlight is how many requests may be under way at a time.
type InFlight struct {
	Capacity int64
	Lease    int64 // seconds for which a request is counted at least; its end ends that
}
