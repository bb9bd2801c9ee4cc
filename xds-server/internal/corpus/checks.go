package corpus

import (
	"math/big"
	"strings"
)

// luhn returns the digit that makes digits and it valid (ISO/IEC 7812-1 annex B).
func luhn(digits string) string {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return string(rune('0' + (10-sum%10)%10))
}

// mod112 returns the check character of 17 digits (GB 11643, ISO 7064 MOD 11-2), which
// is computed here by Horner's scheme and not by weights.
func mod112(digits string) string {
	p := 0
	for _, d := range digits {
		p = (p + int(d-'0')) * 2 % 11
	}
	return string("0123456789X"[(12-p)%11])
}

// alphabet31 is that of GB 32100.
const alphabet31 = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// mod31 returns the check character of 17 characters (GB 32100: weights 3^i mod 31).
func mod31(s string) string {
	sum, weight := 0, 1
	for _, c := range s {
		sum += strings.IndexRune(alphabet31, c) * weight
		weight = weight * 3 % 31
	}
	return string(alphabet31[(31-sum%31)%31])
}

// mod97 returns the two check digits of an IBAN (ISO 13616, ISO 7064 MOD 97-10).
func mod97(country, account string) string {
	var digits strings.Builder
	for _, c := range account + country + "00" {
		if c >= 'A' {
			digits.WriteString(big.NewInt(int64(c-'A') + 10).String())
		} else {
			digits.WriteRune(c)
		}
	}
	n, _ := new(big.Int).SetString(digits.String(), 10)
	rest := 98 - int(new(big.Int).Mod(n, big.NewInt(97)).Int64())
	return string([]byte{byte('0' + rest/10), byte('0' + rest%10)})
}

// hongKong returns the check character of a Hong Kong identity card.
func hongKong(letters, digits string) string {
	value := func(c byte) int {
		if c == ' ' {
			return 36
		}
		return int(c-'A') + 10
	}
	padded := letters
	if len(padded) == 1 {
		padded = " " + padded
	}
	sum := 9*value(padded[0]) + 8*value(padded[1])
	for i := range 6 {
		sum += (7 - i) * int(digits[i]-'0')
	}
	return string("0A987654321"[sum%11])
}

// taiwan returns the last digit of a Taiwanese identity number of a letter and eight
// digits.
func taiwan(letter byte, digits string) string {
	n := strings.IndexByte("ABCDEFGHJKLMNPQRSTUVXYWZIO", letter) + 10
	sum := n/10 + n%10*9
	for i := range 8 {
		sum += (8 - i) * int(digits[i]-'0')
	}
	return string(rune('0' + (10-sum%10)%10))
}

// vehicle puts the check character into a vehicle identification number of 17 (49 CFR
// 565.15), at its ninth place.
func vehicle(vin []byte) {
	weights := [...]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2}
	sum := 0
	for i, c := range vin {
		v := int(c - '0')
		if c >= 'A' {
			v = int("12345678-12345-7-923456789"[c-'A'] - '0')
		}
		sum += v * weights[i]
	}
	vin[8] = "0123456789X"[sum%11]
}

// base62 writes a number in six digits, as GitHub does at the end of its tokens.
func base62(n uint32) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [6]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[n%62]
		n /= 62
	}
	return string(b[:])
}
