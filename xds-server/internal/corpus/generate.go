package corpus

import (
	"math/rand/v2"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// Values returns n texts that hold one value of a kind each, spelled with an evasion;
// none where it does not apply to the kind.
func Values(seed uint64, kind spec.EntityKind, evasion Evasion, n int) []Text {
	if !evasion.applies(kind) {
		return nil
	}
	s := source{rand.New(rand.NewPCG(seed, uint64(kind)))} //nolint:gosec // texts, not keys, and the same each time
	ways, texts := forms(kind, evasion.groups), make([]Text, n)
	for i := range texts {
		form := ways[s.IntN(len(ways))]
		value := evasion.spell(s, form.value(s))
		before, after, _ := strings.Cut(s.one(form.templates...), "%s")
		texts[i] = Text{Raw: before + value + after, Labels: []Label{{Kind: kind, From: len(before), To: len(before) + len(value)}}}
	}
	return texts
}
