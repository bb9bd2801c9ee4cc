package redact

// Lengths of a primary account number (ISO/IEC 7812-1).
const (
	minCard = 13
	maxCard = 19
)

// matchBankCard finds a card number: 13 to 19 digits with a network's prefix
// in a length that it issues, in one piece or in the groups that are printed on
// cards, whose last digit is right by Luhn (ISO/IEC 7812-1, annex B). The
// longest match wins. The last four digits stay. Cards of mainland banks from before
// UnionPay begin with 9; not all of them have a digit by Luhn, and they ask for a context
// word.
func matchBankCard(w *window, i int) (m span, score uint8, ok bool) {
	if !cardFirst[w.code[i]-'0'] || w.fraction(i) || w.hexWord(i-1, -1) {
		return miss()
	}
	code := w.code[:w.n]
	layout, n, k := uint32(0), 0, i // groups, 5 bits each, the first one highest; digits; unit
	sum, other := byte(0), byte(0)  // by Luhn, if the last digit counts as it is, or twice
	for {
		group := k
		for ; k < len(code) && code[k]-'0' <= 9 && n <= maxCard; k++ {
			v := code[k] - '0'
			sum, other = other+v, sum+twice[v]
			n++
		}
		if n > maxCard || k == group {
			return m, score, ok
		}
		first := layout == 0
		layout = layout<<5 | uint32(k-group)
		switch {
		case n < minCard || !wholeCard(layout, n) || !w.clear(i, k):
		case sum%10 == 0 && w.cardNetwork(i, n):
			m, score, ok = hit(i, k, certain)
		case code[i] == '9' && n >= 16:
			m, score, ok = hit(i, k, 10)
		}
		if first && layout != 4 && layout != 6 && layout != 8 {
			return m, score, ok
		}
		if k = w.skipSep(k); k == len(code) {
			return m, score, ok
		}
	}
}

// twice is a digit that Luhn counts twice: the sum of the digits of its double.
const twice = "\x00\x02\x04\x06\x08\x01\x03\x05\x07\x09"

// wholeCard says whether n digits are grouped as on a card: in one piece, in fours with
// a shorter rest, or as a network prints them.
func wholeCard(layout uint32, n int) bool {
	switch layout {
	case uint32(n), // one piece
		4<<10 | 6<<5 | 5, // American Express
		4<<10 | 6<<5 | 4, // Diners Club
		6<<5 | 13,        // UnionPay, 19 digits
		8<<5 | 8:
		return true
	}
	if layout&31 > 4 {
		return false
	}
	for layout >>= 5; layout != 0; layout >>= 5 {
		if layout&31 != 4 {
			return false
		}
	}
	return true
}

// cardFirst holds the first digits of all networks in cardNetwork, and of old cards.
var cardFirst = [10]bool{2: true, 3: true, 4: true, 5: true, 6: true, 8: true, 9: true}

// cardNetwork says whether a network issues numbers with the first digits at i, the first
// four side by side, in this length: Visa, Mastercard, American Express, Diners Club, Discover, JCB,
// UnionPay (62, and 81 with partners).
func (w *window) cardNetwork(i, n int) bool {
	four := w.value(i, 4)
	two := four / 100
	switch {
	case two/10 == 4:
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		return n == 16
	case two == 34 || two == 37:
		return n == 15
	case two == 30 || two == 36 || two == 38 || two == 39:
		return n >= 14
	case two == 35, two == 62, two == 65, two == 81, four == 6011, four >= 6440 && four <= 6499:
		return n >= 16
	}
	return false
}

// cardPairs holds the first two digits of all networks in cardNetwork, and of old cards.
var cardPairs = func() (t [100]bool) {
	for _, v := range "\x16\x17\x18\x19\x1a\x1b\x1e\x22\x23\x24\x25\x26\x27\x28\x29\x2a\x2b\x2c\x2d\x2e\x2f\x30\x31\x33\x34\x35\x36\x37\x3c\x3e\x40\x41\x51\x5a\x5b\x5c\x5d\x5e\x5f\x60\x61\x62\x63" {
		t[v] = true
	}
	return t
}()

// luhn says whether the last digit is the check digit of the others.
func luhn(d []byte) bool {
	sum, other := byte(0), byte(0)
	for _, v := range d {
		sum, other = other+v, sum+twice[v]
	}
	return sum%10 == 0
}
