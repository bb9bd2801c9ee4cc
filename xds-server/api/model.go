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
	// GRPC: the endpoints serve the Open Inference Protocol over gRPC. They are reached
	// over HTTP/2 alone, by REST clients too. A model whose versions all say so can be
	// asked over gRPC. UpstreamModel cannot be set beside it.
	GRPC bool `yaml:"grpc,optional"`
	// ConnectTimeout bounds the making of a connection; default 5s.
	ConnectTimeout *Duration    `yaml:"connectTimeout,optional"`
	HealthCheck    *HealthCheck `yaml:"healthCheck,optional"`
	// UpstreamModel is what the endpoints call the model: it takes the place of the
	// name that the client gave, in a JSON body or in the path of the Open Inference
	// Protocol. Default: the name goes upstream as the client wrote it.
	UpstreamModel *Alias `yaml:"upstreamModel,optional"`
	// CircuitBreakers bound what goes to the version at once.
	CircuitBreakers *CircuitBreakers `yaml:"circuitBreakers,optional"`
	// OutlierDetection takes endpoints that fail out of use for a while; default: none.
	OutlierDetection *OutlierDetection `yaml:"outlierDetection,optional"`
}

// CircuitBreakers bound what one Envoy has open to a version; what goes beyond is
// answered 503 at once. The default of each is 2,048 for every endpoint.
type CircuitBreakers struct {
	MaxConnections *int `yaml:"maxConnections,optional"`
	// MaxPendingRequests is how many wait for a connection.
	MaxPendingRequests *int `yaml:"maxPendingRequests,optional"`
	MaxRequests        *int `yaml:"maxRequests,optional"`
	// MaxRetries is how many requests are in a further attempt.
	MaxRetries *int `yaml:"maxRetries,optional"`
}

// OutlierDetection takes an endpoint out of use by how its answers end.
type OutlierDetection struct {
	// Consecutive5xx is how many answers in a row must be a 5xx, or a connection
	// that failed; default 5.
	Consecutive5xx *int `yaml:"consecutive5xx,optional"`
	// Interval between two looks at what may come back; default 10s.
	Interval *Duration `yaml:"interval,optional"`
	// BaseEjectionTime is how long the first time lasts; each further one is longer
	// by as much. Default 30s.
	BaseEjectionTime *Duration `yaml:"baseEjectionTime,optional"`
	// MaxEjectionPercent of the endpoints may be out of use at the same time, though
	// always one; default 50.
	MaxEjectionPercent *int `yaml:"maxEjectionPercent,optional"`
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
