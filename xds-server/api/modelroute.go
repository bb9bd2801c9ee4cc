package api

// ModelRouteSpec says how the requests for one model are spread over its versions.
type ModelRouteSpec struct {
	Model ModelRef `yaml:"model"`
	// VersionHeader is a request header by which clients may ask for a version; default: they may not.
	VersionHeader *HeaderName `yaml:"versionHeader,optional"`
	// Salt seeds the user hash; default: the model's name. Another salt spreads the users anew.
	Salt *string `yaml:"salt,optional"`
	// StickyHeader is a header by which a client without a user sticks to its version: the gateway sends one in
	// the answer, and the client sends it back; default: none.
	StickyHeader *HeaderName `yaml:"stickyHeader,optional"`
	// Rules choose a version; the first that matches wins.
	Rules []RouteRule `yaml:"rules,optional"`
	// Policy is a tree of steps, asked in order where no rule matches; the first that decides wins.
	Policy []RouteStep `yaml:"policy,optional"`
	// Version gets what no rule and no step decides; the same as a split with all of it in one version.
	Version *VersionName `yaml:"version,optional"`
	// Split spreads what no rule and no step decides. Weights are percent and add up to 100. A
	// version that stands first keeps its users while its weight grows.
	Split []SplitEntry `yaml:"split,optional"`
	// Timeout bounds a request from its end to the end of the answer; default 0s: none.
	Timeout *Duration `yaml:"timeout,optional"`
	Retries *Retries  `yaml:"retries,optional"`
	// Fallback are the versions that are tried in this order when the one that was
	// picked fails before the first byte of its answer.
	Fallback []VersionRef `yaml:"fallback,optional"`
	// Mirrors get copies of requests; their answers are thrown away.
	Mirrors []Mirror `yaml:"mirrors,optional"`
}

// VersionRef names a version of this or another model.
type VersionRef struct {
	// Model is another model; default: the route's own.
	Model   *ModelRef   `yaml:"model,optional"`
	Version VersionName `yaml:"version"`
}

// Mirror is a version that gets a part of the requests a second time.
type Mirror struct {
	Version VersionName `yaml:"version"`
	// Sample is the percentage of requests that are copied; default 100.
	Sample *Weight `yaml:"sample,optional"`
}

// RouteRule chooses a version for requests that match, in one of two forms: match
// and version, or target with a condition, a weight or both.
type RouteRule struct {
	Match   *HeaderMatch `yaml:"match,optional"`
	Version *VersionName `yaml:"version,optional"`
	// Name is for records and explanations; default: the rule's place in the list.
	Name *Name `yaml:"name,optional"`
	// Condition says which requests the rule means; see docs/ROUTING.md.
	Condition *string `yaml:"condition,optional"`
	// Weight is the share of the users that meet the condition whom the rule takes, from 0 to 1; default: all.
	// Where the condition itself takes a share, such as user.id % 100 < 10, both must say the same.
	Weight *Fraction    `yaml:"weight,optional"`
	Target *VersionName `yaml:"target,optional"`
}

// HeaderMatch matches a request header that has exactly this value.
type HeaderMatch struct {
	Header HeaderName  `yaml:"header"`
	Value  HeaderValue `yaml:"value"`
}

// SplitEntry is a version's share of requests.
type SplitEntry struct {
	Version VersionName `yaml:"version"`
	Weight  Weight      `yaml:"weight"`
}

// Retries says when Envoy tries again, and when it goes on to the next of Fallback.
type Retries struct {
	// Attempts is how many times it tries a version again after the first. With
	// Fallback it may be 0: each version is tried once.
	Attempts int `yaml:"attempts"`
	// On are the conditions; default: connect-failure, refused-stream and
	// reset-before-request, which no server has worked on; with Fallback reset and
	// gateway-error (502, 503, 504) too.
	On []RetryCondition `yaml:"on,optional"`
	// PerTryTimeout bounds one attempt; default: none.
	PerTryTimeout *Duration `yaml:"perTryTimeout,optional"`
	// BodyLimit is the largest body that is kept for another attempt; a larger one
	// has the first alone. Default: 1280KiB, which is what the gateways hold by default
	// with what redaction may add.
	BodyLimit *Bytes `yaml:"bodyLimit,optional"`
}
