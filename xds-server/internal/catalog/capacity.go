package catalog

import (
	"math"
	"math/bits"
	"time"

	"github.com/weirmesh/weir/xds-server/api"
)

// perEndpoint is how many connections, waiting and running requests an endpoint is
// good for where nobody says otherwise.
const perEndpoint = 2048

// fewEndpoints is the smallest number of endpoints that requests are bounded for.
// Above it the number is rounded up to a power of two: the bound belongs to the
// cluster, which is made anew with it.
const fewEndpoints = 8

// maxBreaker bounds what can be written.
const maxBreaker = math.MaxInt32

func (c *checker) circuitBreakers(u *unit, field string, written *api.CircuitBreakers, endpoints int) CircuitBreakers {
	if written == nil {
		written = &api.CircuitBreakers{}
	}
	requests := perEndpoint * fewEndpoints
	if endpoints > fewEndpoints {
		requests = perEndpoint << bits.Len(uint(endpoints-1))
	}
	bound := func(name string, value *int, otherwise int) uint32 {
		return uint32(c.inRange(u, field+"."+name, value, otherwise, 1, maxBreaker))
	}
	breakers := CircuitBreakers{
		MaxPendingRequests: bound("maxPendingRequests", written.MaxPendingRequests, requests),
		MaxRequests:        bound("maxRequests", written.MaxRequests, requests),
		MaxRetries:         bound("maxRetries", written.MaxRetries, requests),
	}
	if written.MaxConnections == nil {
		breakers.MaxConnectionsPerEndpoint = perEndpoint
		return breakers
	}
	breakers.MaxConnections = uint32(c.bounded(u, field+".maxConnections", *written.MaxConnections, 1, maxBreaker))
	return breakers
}

// Defaults of outlier detection.
const (
	defaultConsecutive5xx   = 5
	defaultOutlierInterval  = 10 * time.Second
	defaultBaseEjection     = 30 * time.Second
	defaultMaxEjectionShare = 50
)

func (c *checker) outliers(u *unit, field string, written *api.OutlierDetection) *OutlierDetection {
	if written == nil {
		return nil
	}
	return &OutlierDetection{
		Consecutive5xx:     uint32(c.inRange(u, field+".consecutive5xx", written.Consecutive5xx, defaultConsecutive5xx, 1, 1000)),
		Interval:           c.positive(u, field+".interval", written.Interval, defaultOutlierInterval),
		BaseEjectionTime:   c.positive(u, field+".baseEjectionTime", written.BaseEjectionTime, defaultBaseEjection),
		MaxEjectionPercent: uint32(c.inRange(u, field+".maxEjectionPercent", written.MaxEjectionPercent, defaultMaxEjectionShare, 1, 100)),
	}
}
