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

// Retries says when Envoy tries again.
type Retries struct {
	// Attempts is how many times it tries again after the first.
	Attempts int `yaml:"attempts"`
	// On are the conditions; default: connect-failure, refused-stream and reset-before-request, which no server has worked on.
	On []RetryCondition `yaml:"on,optional"`
	// PerTryTimeout bounds one attempt; default: none.
	PerTryTimeout *Duration `yaml:"perTryTimeout,optional"`
}
