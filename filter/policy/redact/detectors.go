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
	{spec.EntityUSCC, decimals + uppers + lowers, afterNonAlnum, 0, 6, matchUSCC},
	{spec.EntityIBAN, uppers + lowers, afterNonAlnum, 0, 6, matchIBAN},
	{spec.EntityBankCard, decimals, afterNonDigit, lengths(4, 6, 8) | from(13), 13, matchBankCard},
	{spec.EntityPermit, decimals, afterNonDigit, lengths(8, 10, 17, 18), 8, matchPermitNumber},
	{spec.EntityVIN, decimals + uppers, afterNonAlnum, 0, 0, matchVIN}, // the search knows 17 characters
	{spec.EntityIMEI, decimals, afterNonDigit, lengths(2, 6, 8, 15), 15, matchIMEI},
	{spec.EntityHKID, uppers + lowers, afterNonAlnum, 0, 6, matchHongKongID},
	{spec.EntityTWID, uppers + lowers, afterNonAlnum, 0, 8, matchTaiwanID},
	{spec.EntityPhone, decimals, afterNonDigit, lengths(2, 3, 4, 5, 7, 9, 11, 13, 15), 11, matchPhone},
	{spec.EntityPhoneUS, decimals, afterNonDigit, lengths(1, 3, 6, 10, 11), 10, matchPhoneUS},
	{spec.EntityPhoneIntl, decimals, afterNonDigit, 0, 8, matchPhoneIntl},
	{spec.EntityLandline, decimals, afterNonDigit, lengths(3, 4, 7, 8, 10, 11, 12), 10, matchLandline},
	{spec.EntitySSN, decimals, afterNonDigit, lengths(3, 9), 9, matchSSN},
	{spec.EntityPlate, string(rune(codePlate)), anywhere, 0, 0, matchPlate},    // the search knows its province
	{spec.EntityMAC, decimals + "ABCDEFabcdef", afterNonAlnum, 0, 0, matchMAC}, // the search knows its marks
	{spec.EntityIP, decimals + "ABCDEFabcdef:", afterNonAlnum, lengths(1, 2, 3, 4), 0, matchIP},
	{spec.EntityPassport, uppers + lowers + "1", afterNonAlnum, lengths(9), 7, matchPassport},
	{spec.EntityPermit, uppers + lowers, afterNonAlnum, 0, 7, matchPermit},
	{spec.EntityResidentID, decimals, afterNonDigit, lengths(15), 15, matchResidentOld},
	{spec.EntityPrivateKey, "-", anywhere, 0, 0, matchPrivateKey},
	{spec.EntityURLPassword, ":", anywhere, 0, 0, matchURLPassword},
	{spec.EntityJWT, "e", afterNonAlnum, 0, 0, matchJWT},
	{spec.EntityGitHubToken, "g", afterNonAlnum, 0, 0, matchGitHubToken},
	{spec.EntitySlackToken, "x", afterNonAlnum, 0, 0, matchSlackToken},
	{spec.EntityOpenAIKey, "s", afterNonAlnum, 0, 0, matchOpenAIKey},
	{spec.EntityGoogleKey, "A", afterNonAlnum, 0, 0, matchGoogleKey},
	{spec.EntityAWSKey, "A", afterNonAlnum, 0, 0, matchAWSKey},
	{spec.EntityAWSKey, decimals + uppers + lowers, afterNonAlnum, 0, 0, matchAWSSecret},
	{spec.EntityBearer, "Bb", afterNonAlnum, 0, 0, matchBearer},
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
