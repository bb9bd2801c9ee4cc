// Package findings says where values stood in a text, by comparing the text with what
// became of it when each was replaced by its tag.
package findings

import (
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// Finding is a value in a text: bytes [From, To).
type Finding struct {
	Kind     spec.EntityKind
	From, To int
}

// Plain returns the text with another character in place of each '<', which no value
// holds: in what becomes of it, '<' begins a tag and nothing else.
func Plain(text string) string { return strings.ReplaceAll(text, "<", "{") }

// Between returns what in raw became the tags of tagged, in order. Raw is Plain, and
// every other byte is the same in both.
func Between(raw, tagged string) (all []Finding) {
	at := 0 // in raw
	for {
		before, rest, found := strings.Cut(tagged, "<")
		at += len(before)
		if !found {
			return all
		}
		tag, after, _ := strings.Cut(rest, ">")
		next, _, more := strings.Cut(after, "<")
		end := len(raw) - len(next)
		if more {
			end = at + strings.Index(raw[at:], next)
		}
		all = append(all, Finding{Kind: kindOf(tag), From: at, To: end})
		at, tagged = end, after
	}
}

// Unknown is the kind of a tag that no kind has.
const Unknown = spec.EntityKind(spec.EntityKinds)

// kindOf returns the kind of a tag's name.
func kindOf(tag string) spec.EntityKind {
	name := strings.ReplaceAll(tag, "_", "")
	for k := range spec.EntityKinds {
		if kind := spec.EntityKind(k); strings.EqualFold(kind.String(), name) {
			return kind
		}
	}
	return Unknown
}
