package api

// ModelSpec says what a model is called and where its versions run.
type ModelSpec struct {
	// Aliases are other names by which clients may ask for it.
	Aliases  []Alias        `yaml:"aliases,optional"`
	Versions []ModelVersion `yaml:"versions"`
	// Tokens is how long its prompts and answers are taken for before it says so
	// itself; `weir calibrate` finds the numbers.
	Tokens *TokenEstimate `yaml:"tokens,optional"`
}

// ModelVersion is one version of a model, and where it is served.
type ModelVersion struct {
	Name VersionName `yaml:"name"`
	// Endpoints are host:port; addresses are used as they are, names are looked up in DNS by Envoy.
	Endpoints []Endpoint `yaml:"endpoints"`
	// TLS is mutual TLS with SVIDs. Either it is set, or Insecure is true.
	TLS *UpstreamTLS `yaml:"tls,optional"`
	// Insecure sends plaintext.
	Insecure bool `yaml:"insecure,optional"`
	// ConnectTimeout bounds the making of a connection; default 5s.
	ConnectTimeout *Duration    `yaml:"connectTimeout,optional"`
	HealthCheck    *HealthCheck `yaml:"healthCheck,optional"`
}

// UpstreamTLS names the identity that the endpoints have to prove.
type UpstreamTLS struct {
	SPIFFEID SPIFFEID `yaml:"spiffeID"`
}

// HealthCheck asks each endpoint by HTTP whether it can take requests.
type HealthCheck struct {
	// Path is asked with GET; 200 is healthy.
	Path HTTPPath `yaml:"path"`
	// Interval between two checks; default 5s.
	Interval *Duration `yaml:"interval,optional"`
	// Timeout of one check; default 1s.
	Timeout *Duration `yaml:"timeout,optional"`
	// UnhealthyThreshold is how many checks must fail in a row; default 3.
	UnhealthyThreshold *int `yaml:"unhealthyThreshold,optional"`
	// HealthyThreshold is how many checks must pass in a row; default 1.
	HealthyThreshold *int `yaml:"healthyThreshold,optional"`
}
