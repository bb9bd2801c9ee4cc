package api

// ModelRouteSpec says how the requests for one model are spread over its versions.
type ModelRouteSpec struct {
	Model ModelRef `yaml:"model"`
	// VersionHeader is a request header by which clients may ask for a version; default: they may not.
	VersionHeader *HeaderName `yaml:"versionHeader,optional"`
	// Salt seeds the user hash; default: the model's name. Another salt spreads the users anew.
	Salt *string `yaml:"salt,optional"`
	// Rules force a version; the first that matches wins.
	Rules []RouteRule `yaml:"rules,optional"`
	// Split spreads what no rule forces. Weights are percent and add up to 100. A
	// version that stands first keeps its users while its weight grows.
	Split []SplitEntry `yaml:"split"`
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

// RouteRule forces a version for requests that match.
type RouteRule struct {
	Match   HeaderMatch `yaml:"match"`
	Version VersionName `yaml:"version"`
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
