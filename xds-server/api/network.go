package api

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// IP is an address to listen on.
type IP struct{ addr netip.Addr }

// ParseString reads an IPv4 or IPv6 address.
func (a *IP) ParseString(text string) error {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return fmt.Errorf("%q is not an IP address such as :: or 127.0.0.1", text)
	}
	a.addr = addr
	return nil
}

// Addr is the parsed address.
func (a IP) Addr() netip.Addr { return a.addr }

// Port is a TCP port.
type Port struct{ number uint16 }

// ParseNumber accepts 1 to 65535.
func (p *Port) ParseNumber(decimal string) error {
	number, err := strconv.ParseUint(decimal, 10, 16)
	if err != nil || number == 0 {
		return fmt.Errorf("%s is not a port: use 1 to 65535", decimal)
	}
	p.number = uint16(number)
	return nil
}

// Number is the port.
func (p Port) Number() uint16 { return p.number }

// Endpoint is where a version is served.
type Endpoint struct {
	host string
	port uint16
}

var hostSyntax = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?$`)

// ParseString reads host:port, with [brackets] around an IPv6 address.
func (e *Endpoint) ParseString(text string) error {
	host, digits, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("%q is not host:port", text)
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("%q has no port from 1 to 65535", text)
	}
	if _, err := netip.ParseAddr(host); err != nil && !validHost(host) {
		return fmt.Errorf("%q has neither an IP address nor a DNS name before the port", text)
	}
	*e = Endpoint{host: host, port: uint16(port)}
	return nil
}

// validHost refuses names of digits and dots alone: a mistyped address, not a name.
func validHost(host string) bool {
	return len(host) <= 253 && hostSyntax.MatchString(host) && strings.Trim(host, "0123456789.") != ""
}

// Host is the address or DNS name.
func (e Endpoint) Host() string { return e.host }

// Port is the TCP port.
func (e Endpoint) Port() uint16 { return e.port }

// IsIP reports whether Host is an address.
func (e Endpoint) IsIP() bool {
	_, err := netip.ParseAddr(e.host)
	return err == nil
}

// String is host:port.
func (e Endpoint) String() string {
	return net.JoinHostPort(e.host, strconv.Itoa(int(e.port)))
}

// HeaderName is a request header that a client may set, in lower case.
type HeaderName struct{ text string }

var (
	headerSyntax = regexp.MustCompile("^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$") // RFC 9110, token
	// ownHeaders have a meaning of their own here or in HTTP, so that no resource can give them another.
	ownHeaders = []string{
		"x-model", "x-max-tokens", "x-temperature", "host", "connection", "content-encoding", "content-length",
		"content-type", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
	}
)

// ParseString accepts any header that Weir and HTTP do not use themselves.
func (h *HeaderName) ParseString(text string) error {
	name := strings.ToLower(text)
	switch {
	case !headerSyntax.MatchString(name):
		return fmt.Errorf("%q is not the name of a header", text)
	case strings.HasPrefix(name, "x-weir-"):
		return fmt.Errorf("header %q can never match: the filter removes every x-weir-* header that a client sends", text)
	case slices.Contains(ownHeaders, name):
		return fmt.Errorf("header %q has a meaning of its own: use another", text)
	}
	h.text = name
	return nil
}

// String is the name in lower case.
func (h HeaderName) String() string { return h.text }

// HeaderValue is the exact value of a header.
type HeaderValue struct{ text string }

// ParseString accepts visible ASCII with spaces inside.
func (v *HeaderValue) ParseString(text string) error {
	visible := func(r rune) bool { return r >= 0x20 && r <= 0x7e }
	if text == "" || len(text) > 256 || strings.TrimSpace(text) != text || strings.ContainsFunc(text, func(r rune) bool { return !visible(r) }) {
		return fmt.Errorf("%q can never match: a header's value is 1 to 256 visible ASCII characters without spaces at its ends", text)
	}
	v.text = text
	return nil
}

// String is the value.
func (v HeaderValue) String() string { return v.text }

// HTTPPath is an absolute path of a request.
type HTTPPath struct{ text string }

var pathSyntax = regexp.MustCompile(`^/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*$`) // RFC 3986

// ParseString accepts a path that starts with '/', with a query if needed.
func (p *HTTPPath) ParseString(text string) error {
	if !pathSyntax.MatchString(text) {
		return fmt.Errorf("%q is not a path such as /v2/health/ready", text)
	}
	p.text = text
	return nil
}

// String is the path.
func (p HTTPPath) String() string { return p.text }
