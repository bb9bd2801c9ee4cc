package redact

// Lengths of a primary account number (ISO/IEC 7812-1).
const (
	minCard = 13
	maxCard = 19
)

// cardDigits are the digits of the number at a place, as far as they may
// belong to one card.
type cardDigits struct {
	n      int             // digits
	digit  [maxCard]byte   // values
	end    [maxCard]uint16 // unit behind the digit
	layout [maxCard]uint32 // lengths of the groups up to the digit, 5 bits each, the first one highest
	luhn   [maxCard]byte   // sums of the digits by Luhn, if the digit is the last
}

// matchBankCard finds a card number: 13 to 19 digits with a network's prefix
// in a length that it issues, in one piece or in the groups that are printed on
// cards, whose last digit is right by Luhn (ISO/IEC 7812-1, annex B). The
// longest match wins. The last four digits stay.
func matchBankCard(w *window, i int) (span, uint8, bool) {
	if !cardFirst[w.code[i]-'0'] || w.fraction(i) || w.hexWord(i-1, -1) {
		return span{}, 0, false
	}
	var d cardDigits
	d.read(w, i)
	for n := d.n; n >= minCard; n-- {
		end := int(d.end[n-1])
		if d.luhn[n-1]%10 == 0 && d.whole(n) && cardNetwork(d.digit[:n]) && w.clear(i, end) {
			return span{start: i, end: end}, certain, true
		}
	}
	return span{}, 0, false
}

// read takes up to maxCard digits with single separators between groups, and
// gives up where the first group is none of a card's.
func (d *cardDigits) read(w *window, i int) {
	layout, group := uint32(0), uint32(0)
	sum, other := byte(0), byte(0) // by Luhn, if the last digit counts as it is, or twice
	code := w.code[:w.n]
	n := 0
	for n < maxCard && i < len(code) {
		v := code[i] - '0'
		if v > 9 {
			next := w.skipSep(i)
			if next == i || !w.digitAt(next) || layout == 0 && group != 4 && group != 6 && group != 8 {
				break
			}
			layout, group, i = layout<<5|group, 0, next
			continue
		}
		group++
		i++
		sum, other = other+v, sum+twice[v]
		d.digit[n], d.luhn[n], d.end[n], d.layout[n] = v, sum, uint16(i), layout<<5|group
		n++
	}
	d.n = n
}

// twice is a digit that Luhn counts twice: the sum of the digits of its double.
const twice = "\x00\x02\x04\x06\x08\x01\x03\x05\x07\x09"

// whole says whether the first n digits are grouped as on a card: in one piece,
// in fours with a shorter rest, or as a network prints them.
func (d *cardDigits) whole(n int) bool {
	layout := d.layout[n-1]
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

// cardFirst holds the first digits of all networks in cardNetwork.
var cardFirst = [10]bool{2: true, 3: true, 4: true, 5: true, 6: true, 8: true}

// cardNetwork says whether a network issues numbers with these first digits in
// this length: Visa, Mastercard, American Express, Diners Club, Discover, JCB,
// UnionPay (62, and 81 with partners).
func cardNetwork(d []byte) bool {
	n := len(d)
	two := int(d[0])*10 + int(d[1])
	four := two*100 + int(d[2])*10 + int(d[3])
	switch {
	case d[0] == 4:
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

// luhn says whether the last digit is the check digit of the others.
func luhn(d []byte) bool {
	sum, other := byte(0), byte(0)
	for _, v := range d {
		sum, other = other+v, sum+twice[v]
	}
	return sum%10 == 0
}
