package redact

// ibanLengths holds the countries of the IBAN registry (SWIFT, release 99) with
// the length of their numbers, three bytes each: the length is the third.
const ibanLengths = "AD\x18AE\x17AL\x1cAT\x14AZ\x1cBA\x14BE\x10BG\x16BH\x16BI\x1bBR\x1dBY\x1cCH\x15CR\x16CY\x1c" +
	"CZ\x18DE\x16DJ\x1bDK\x12DO\x1cEE\x14EG\x1dES\x18FI\x12FK\x12FO\x12FR\x1bGB\x16GE\x16GI\x17GL\x12GR\x1b" +
	"GT\x1cHN\x1cHR\x15HU\x1cIE\x16IL\x17IQ\x17IS\x1aIT\x1bJO\x1eKW\x1eKZ\x14LB\x1cLC\x20LI\x15LT\x14LU\x14" +
	"LV\x15LY\x19MC\x1bMD\x18ME\x16MK\x13MN\x14MR\x1bMT\x1fMU\x1eNI\x1cNL\x12NO\x0fOM\x17PK\x18PL\x1cPS\x1d" +
	"PT\x19QA\x1dRO\x18RS\x16RU\x21SA\x18SC\x1fSD\x12SE\x18SI\x13SK\x18SM\x1bSO\x17ST\x19SV\x1cTL\x17TN\x18" +
	"TR\x1aUA\x1dVA\x16VG\x18XK\x14YE\x1e"

// matchIBAN finds an international bank account number (ISO 13616): a country,
// two check digits by ISO 7064 MOD 97-10, and as many characters as the country
// has, at least half of them digits, in one piece or in groups.
func matchIBAN(w *window, i int) (span, uint8, bool) {
	if !w.letterAt(i) || !w.letterAt(i+1) || !w.digitAt(w.skipSep(i+2)) {
		return miss()
	}
	n := ibanLength(w.upperAt(i), w.upperAt(i+1))
	if n == 0 {
		return miss()
	}
	var t token
	t.read(w, i, n)
	if t.n < n || t.mixed || t.number(2, 2) < 2 || 2*t.digits < n || !w.alone(i, t.end) {
		return miss()
	}
	rest := 0
	for k := range n {
		c := t.char[(k+4)%n]
		if c <= '9' {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + letterValue(c)) % 97
		}
	}
	if rest != 1 {
		return miss()
	}
	return hit(i, t.end, 100)
}

// ibanLength is how many characters the numbers of a country have, or 0.
func ibanLength(a, b byte) int {
	if ibanCountries[a&31]>>(b&31)&1 == 0 {
		return 0
	}
	for k := 0; k < len(ibanLengths); k += 3 {
		if ibanLengths[k] == a && ibanLengths[k+1] == b {
			return int(ibanLengths[k+2])
		}
	}
	return 0
}

// ibanCountries holds, by the first letter of a country, the second ones as bits.
var ibanCountries = func() (t [32]uint32) {
	for k := 0; k < len(ibanLengths); k += 3 {
		t[ibanLengths[k]&31] |= 1 << (ibanLengths[k+1] & 31)
	}
	return t
}()
