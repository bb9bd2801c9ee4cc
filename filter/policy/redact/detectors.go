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
	// build is what the letters and digits at unit i and what is behind them must be
	// like, so that find is worth a call.
	build build
	// second holds the codes that may stand behind the first; empty: digits and separators, and
	// letters if the match is not a number.
	second string
	// groups holds the lengths of the first two groups of digits of a match that begins
	// with one of less than 9, in pairs of hexadecimal digits: TinyGo's collector takes four
	// small bytes of a constant for an address, and frees nothing that is there. Empty: any.
	groups string
}

// build is what tokens are like.
type build uint8

const (
	anyBuild    build = iota
	dotBuild          // with a dot or a colon behind
	pairBuild         // with a colon, a hyphen or a dot behind
	rowBuild          // not one more in a row of groups as long
	imeiBuild         // like rowBuild; of three even groups or more
	vinBuild          // like rowBuild; in one piece of tokenLength, or in groups as a VIN is printed
	usccBuild         // like rowBuild; in one piece of usccLength, or in groups as a credit code is printed
	islandBuild       // no longer than identity numbers of Taiwan
	seriesBuild       // as long as permits that begin with a letter
	longBuild         // with '+' or '/' behind, or in one piece of longLength, of which those may be the first two
	builds
)

// boundary is what must stand before a match.
type boundary uint8

const (
	afterNonDigit boundary = iota // no digit: "tel13812345678" holds a number
	afterNonAlnum                 // no digit and no letter
	afterPlus                     // a plus sign
	anywhere
	serial // as afterNonAlnum, and if it begins with letters a digit follows three at the latest
)

// Codes with which matches begin.
const (
	decimals = "0123456789"
	uppers   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lowers   = "abcdefghijklmnopqrstuvwxyz"

	hexLetters = "ABCDEFabcdef"
	gaps       = " ().-/_" + string(rune(codeDash)) + string(rune(codeDot))
)

// certain is the score of a match whose check holds.
const certain = 100

// detectors holds all kinds but the address, which is found from its middle. Of
// two matches that overlap the certain one wins, then the longer one, then the
// one whose detector stands first.
var detectors = [...]detector{
	{spec.EntityResidentID, "12345678", afterNonDigit, lengths(6, 14, 17, 18), 17, matchResidentID, anyBuild, "", ""},
	{spec.EntityResidentID, "12345678", afterNonDigit, ^lengths(6, 14, 17, 18), 17, matchResidentID, rowBuild, "", ""},
	{spec.EntityUSCC, "123456789ABCDEFGHJKLMNPQRTUWXY" + "abcdefghjklmnpqrtuwxy", serial, 0, 6, matchUSCC, usccBuild, "", ""},
	{spec.EntityIBAN, uppers + lowers, serial, 0, 6, matchIBAN, anyBuild, uppers + lowers, ""},
	{spec.EntityBankCard, "2345689", afterNonDigit, lengths(4, 6, 8) | from(13), 13, matchBankCard, anyBuild, "", "44466d88"},
	{spec.EntityPermit, decimals, afterNonDigit, lengths(6, 8, 10, 17, 18), 8, matchPermitNumber, anyBuild, "", ""},
	{spec.EntityVIN, decimals + "ABCDEFGHJKLMNPRSTUVWXYZ", afterNonAlnum, 0, 0, matchVIN, vinBuild, "", ""}, // the search knows 17 characters
	{spec.EntityIMEI, decimals, afterNonDigit, lengths(1, 2, 3, 4, 5, 6, 8, 15), 15, matchIMEI, imeiBuild, "", "1122263344556686"},
	{spec.EntityHKID, uppers + lowers, serial, 0, 6, matchHongKongID, islandBuild, "", ""},
	{spec.EntityTWID, uppers + lowers, serial, 0, 8, matchTaiwanID, islandBuild, "1289ABCDabcd" + gaps, ""},
	{spec.EntityMacauID, "1578", afterNonDigit, lengths(7, 8), 8, matchMacauID, anyBuild, "", ""},
	{spec.EntityPhone, "018", afterNonDigit, lengths(2, 3, 4, 5, 7, 9, 11, 13, 15), 11, matchPhone, anyBuild, "03456789",
		"23272b343843474b54587478"},
	{spec.EntityPhoneUS, "1", afterNonDigit, lengths(1, 11), 10, matchPhoneUS, anyBuild, "", "13161a"},
	{spec.EntityPhoneUS, "23456789", afterNonDigit, lengths(3, 6, 10), 10, matchPhoneUS, anyBuild, "", "333764"},
	{spec.EntityPhoneIntl, "123456789", afterPlus, 0, 8, matchPhoneIntl, anyBuild, "", ""},
	{spec.EntityLandline, "0", afterNonDigit, lengths(3, 4, 7, 8, 10, 11, 12), 10, matchLandline, anyBuild, "123456789",
		"3437384447487484"},
	{spec.EntitySSN, decimals, afterNonDigit, lengths(3, 9), 9, matchSSN, anyBuild, "", "32"},
	{spec.EntityPlate, string(rune(codePlate)), anywhere, 0, 0, matchPlate, anyBuild, uppers + lowers, ""},       // the search knows its province
	{spec.EntityMAC, decimals + hexLetters, afterNonAlnum, 0, 0, matchMAC, pairBuild, decimals + hexLetters, ""}, // the search knows its marks
	{spec.EntityIP, decimals, afterNonAlnum, lengths(1, 2, 3, 4), 0, matchIP, dotBuild, decimals + hexLetters + ".:", ""},
	{spec.EntityIP, hexLetters, afterNonAlnum, 0, 0, matchIP, dotBuild, decimals + hexLetters + ":", ""},
	{spec.EntityIP, ":", afterNonAlnum, 0, 0, matchIP, anyBuild, ":", ""},
	{spec.EntityPassport, "EGHKPDSMeghkpdsm1", serial, lengths(9), 7, matchPassport, anyBuild, decimals + uppers + lowers + ".", ""},
	{spec.EntityPermit, uppers + lowers, serial, 0, 7, matchPermit, seriesBuild, decimals + uppers + lowers, ""},
	{spec.EntityResidentID, "12345678", afterNonDigit, lengths(15), 15, matchResidentOld, anyBuild, "", ""},
	{spec.EntityPrivateKey, "-", anywhere, 0, 0, matchPrivateKey, anyBuild, "-", ""},
	{spec.EntityURLPassword, ":", anywhere, 0, 0, matchURLPassword, anyBuild, "/", ""},
	{spec.EntityJWT, "e", afterNonAlnum, 0, 0, matchJWT, anyBuild, "y", ""},
	{spec.EntityGitHubToken, "g", afterNonAlnum, 0, 0, matchGitHubToken, anyBuild, "hi", ""},
	{spec.EntitySlackToken, "x", afterNonAlnum, 0, 0, matchSlackToken, anyBuild, "oa", ""},
	{spec.EntityOpenAIKey, "s", afterNonAlnum, 0, 0, matchOpenAIKey, anyBuild, "k", ""},
	{spec.EntityGoogleKey, "A", afterNonAlnum, 0, 0, matchGoogleKey, anyBuild, "I", ""},
	{spec.EntityAWSKey, "A", afterNonAlnum, 0, 0, matchAWSKey, anyBuild, "KS", ""},
	{spec.EntityAWSKey, decimals + uppers + lowers, afterNonAlnum, 0, 0, matchAWSSecret, longBuild, decimals + uppers + lowers + "+/=", ""},
	{spec.EntityBearer, "Bb", afterNonAlnum, 0, 0, matchBearer, anyBuild, "EAea", ""},
}

// leastUnits holds how many units a match of a kind has at least, where its digits do
// not say it.
var leastUnits = [spec.EntityKinds]uint8{
	spec.EntityUSCC: 18, spec.EntityVIN: tokenLength, spec.EntityIBAN: 15, spec.EntityTWID: 10, spec.EntityHKID: 8, spec.EntityPassport: 8,
	spec.EntityMAC: 14, spec.EntityPrivateKey: 27, spec.EntityJWT: 20, spec.EntityGitHubToken: 40, spec.EntityAWSKey: 20, spec.EntityGoogleKey: 39,
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
