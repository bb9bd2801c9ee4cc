// Package components has tests against real servers that Weir works with or is
// compared with, which `make test-components` builds: etcd as a process of its
// own, envoyproxy/ratelimit keeping budgets, and Envoy Gateway under the same changes as Weir.
package components
