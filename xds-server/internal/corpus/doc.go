// Package corpus makes texts with personal data at known places, and measures how much
// of it a set of redaction rules finds.
//
// Texts are made from templates in English and Chinese, written for this project, and
// from values that are drawn anew for each text: numbers that nobody was given, but
// with check digits that hold. What computes the check digits here is written apart
// from what checks them in the filter. The same seed makes the same texts; rules are
// tuned on other seeds than those that are reported.
package corpus

import "github.com/weirmesh/weir/xds-server/internal/findings"

// Text is the raw content of one JSON string with its labels in order.
type Text struct {
	Raw    string
	Labels []Label
}

// Label is a value in a text, as it is written there.
type Label = findings.Finding

// PerSeed is how many texts of each kind in each spelling a seed makes of the corpus that
// is reported.
const PerSeed = 300

// Seeds are those of the corpus that is reported. Seeds below 1,000 are for tuning.
func Seeds() []uint64 { return []uint64{9001, 9002, 9003} }
