package spec

import (
	"github.com/weirmesh/weir/filter/policy/automaton"
	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

// Bounds of a document. What a bound is for stands beside it; the numbers keep
// every product that the filter computes within 128 bits and every table small.
const (
	MaxDocumentBytes = 9 << 19 // 2 MiB of rules, and the largest table in base64

	MaxModels         = 16384
	MaxNames          = 32768 // names and aliases of all models
	MaxAliases        = 64    // of one model
	MaxVersions       = 64    // of one model
	MaxVersionRules   = 64    // of one model
	MaxVersionHeaders = 32    // distinct headers in versionHeader and rules of all models
	MaxTrustedPeers   = 256
	MaxLimits         = 256
	MaxModelLimits    = 16 // limits that apply to one model
	MaxRedactions     = 1024
	MaxSkips          = 64                   // of one redaction
	MaxBasisBytes     = 64                   // of an entity
	MaxCustom         = automaton.MaxEntries // of one redaction
	MaxCustomName     = 32                   // bytes
	MaxAutomatonBytes = 7 << 18              // of one redaction
	MinHoldBytes      = 72                   // of an answer: more than the local part of an address
	MaxHoldBytes      = 4096
	MaxOverrides      = 20_000 // of all limits
	MaxKeyParts       = 4      // of one limit
	MaxKeyHeaders     = 8      // distinct headers in the keys of all limits
	MaxKeyClaims      = 8      // distinct claims likewise
	MaxClaimBytes     = 128    // path of a claim

	MaxNameBytes   = 128 // names and aliases of models, limits, redactions
	MaxIDBytes     = 64  // versions, header names
	MaxValueBytes  = 256 // header values of version rules
	MaxSaltBytes   = 128
	MaxPeerIDBytes = 2048 // SPIFFE ID section 2.3

	MaxHoldLimit       = 64 << 20
	MaxWorkerHoldLimit = 1 << 30
	MaxDepthLimit      = jsonscan.MaxDepth

	MaxTokenNumber = 1_000_000_000         // tokens: outputs, max_tokens, tokensPerUnit
	MaxCapacity    = 1_000_000_000_000     // tokens
	MaxMilli       = 1_000_000_000_000_000 // refill in thousandths
	MaxWeightMilli = 1_000_000_000_000     // weight units in thousandths
	MaxKMilli      = 1_000_000             // temperature sensitivity in thousandths
	MaxGraceMs     = 600_000               // ten minutes for an upstream that was stopped
	MaxTokenMilli  = 1_000_000             // weight of a token in thousandths
	MaxClassMilli  = 1_000_000             // tokens of one of a text class in thousandths
	MaxPer         = 86_400                // seconds: a day
	MaxInFlight    = 1_000_000             // requests
	MaxLease       = 86_400                // seconds
)

// The character sets of names. Both keep a name fit to be a header's value and a
// part of a resource name.

// validName says whether s may name a model, limit or redaction: letters, digits
// and . _ - : / +, first a letter or digit.
//
//go:noinline
func validName(s string, max int, extra string) bool {
	if s == "" || len(s) > max || !alphanumeric(s[0]) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !alphanumeric(s[i]) && !contains(extra, s[i]) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool { return c-'0' < 10 || c|0x20-'a' < 26 }

func contains(set string, c byte) bool {
	for i := 0; i < len(set); i++ {
		if set[i] == c {
			return true
		}
	}
	return false
}

// validHeader says whether s is the lower-case name of a header (RFC 9110 section
// 5.1) that is not one of those that the filter sets.
//
//go:noinline
func validHeader(s string) bool {
	if s == "" || len(s) > MaxIDBytes || hasPrefix(s, "x-weir-") {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c-'A' < 26 || !alphanumeric(c) && !contains("!#$%&'*+-.^_`|~", c) {
			return false
		}
	}
	return true
}

// validText says whether s has no control characters, so that a header can hold it.
//
//go:noinline
func validText(s string, max int) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7F {
			return false
		}
	}
	return len(s) <= max
}

// validPeer says whether s is a SPIFFE ID (SPIFFE ID section 2): a trust domain
// in lower case and path segments that are neither empty nor dots.
//
//go:noinline
func validPeer(s string) bool {
	const scheme = "spiffe://"
	if !hasPrefix(s, scheme) || len(s) > MaxPeerIDBytes {
		return false
	}
	s = s[len(scheme):]
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '/' {
			upper := s[i]-'A' < 26
			if !alphanumeric(s[i]) && !contains("._-", s[i]) || upper && start == 0 {
				return false
			}
			continue
		}
		if segment := s[start:i]; segment == "" || segment == "." || segment == ".." {
			return false
		}
		start = i + 1
	}
	return true
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }
