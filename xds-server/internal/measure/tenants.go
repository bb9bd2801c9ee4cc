package measure

import (
	"fmt"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// tenantRate bounds how many tenants come in a second. Their buckets are full again
// after a fifth of one, so that at most 1,600 of the table's 32,768 are in use at a time.
const tenantRate = 8000

// onePerTenant is a budget that holds one request of a tenant: one that was charged for
// another would be refused.
func onePerTenant() spec.Limit {
	return spec.Limit{Name: "one", Mode: spec.LimitRequests, Key: []spec.KeyPart{{Source: spec.KeyTenant}},
		Requests: spec.Rate{Capacity: 1, RefillMilli: 5000}}
}

// appendTenantRequest appends a small request of the n-th tenant.
func appendTenantRequest(b []byte, n int64) []byte {
	const body = `{"model":"gpt-4","max_tokens":16,"messages":[{"role":"user","content":"Hello"}]}`
	return fmt.Appendf(b, "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"+
		"x-tenant-id: tenant-%d\r\nx-user-id: user-%d\r\n\r\n%s", len(body), n, n, body)
}
