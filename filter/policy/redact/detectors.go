package redact

import "github.com/weirmesh/weir/filter/policy/spec"

// detector looks for one kind of value.
type detector struct {
	kind spec.EntityKind
	// begins holds the codes with which a match may begin, as far as find is asked;
	// what it returns may begin earlier, with a '+' or a '(' that belongs to it.
	begins string
	where  boundary
	// lengths of the first group of digits of a match that begins with a digit, as
	// bits; the last one stands for itself and more. 0: any.
	lengths uint32
	// digits is the least number of digits in a match with nothing but separators
	// between them. 0: the search knows a match by something else, see search.go.
	digits uint8
	// find looks for a match that begins with unit i. The score, in percent, says how
	// certain the form alone is; 100 stands for a check that holds.
	//
	// It may look at lookBehind units before i, and at maxMatch units from i on and a
	// few behind the match.
	find func(w *window, i int) (m span, score uint8, ok bool)
}

// boundary is what must stand before a match.
type boundary uint8

const (
	afterNonDigit boundary = iota // no digit: "tel13812345678" holds a number
	afterNonAlnum                 // no digit and no letter
	anywhere
)

// Codes with which matches begin.
const (
	decimals = "0123456789"
	uppers   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lowers   = "abcdefghijklmnopqrstuvwxyz"
)

// certain is the score of a match whose check holds.
const certain = 100

// detectors holds all kinds but the address, which is found from its middle. Of
// two matches that overlap the certain one wins, then the longer one, then the
// one whose detector stands first.
var detectors = [...]detector{
	{spec.EntityResidentID, decimals, afterNonDigit, lengths(6, 14, 17, 18), 17, matchResidentID},
	{spec.EntityBankCard, decimals, afterNonDigit, lengths(4, 6, 8) | from(13), 13, matchBankCard},
	{spec.EntityPhone, decimals, afterNonDigit, lengths(2, 3, 4, 5, 7, 9, 11, 13, 15), 11, matchPhone},
}

// lengths makes the set of detector.lengths.
func lengths(all ...uint) (set uint32) {
	for _, n := range all {
		set |= 1 << n
	}
	return set
}

// from is the set of all lengths from n on.
func from(n uint) uint32 { return ^uint32(0) << n }
