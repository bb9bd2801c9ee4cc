// Package e2e tests the whole from the outside: what `make build` built, a real
// Envoy and real models, started by `weir up` as a user starts it; and, where a
// part is to be killed, started late or replaced while 1,000 requests per second
// go through Envoy, the xds-server and Envoy one by one. It finds them by
// WEIR_BUILD and WEIR_TOOLS; without these its tests are skipped, with a line
// that says so.
package e2e
