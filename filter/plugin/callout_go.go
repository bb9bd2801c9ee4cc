//go:build wasip1 && !tinygo

package plugin

// registerHTTPCallout has no counterpart outside TinyGo. It is here for go vet and the
// linters, which read the package as Go's own compiler does; nothing ships it.
func registerHTTPCallout(uint32, func(headers, size, trailers int)) {}
