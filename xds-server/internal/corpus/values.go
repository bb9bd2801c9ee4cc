package corpus

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// source draws values.
type source struct{ *rand.Rand }

func (s source) digits(n int) string { return s.text("0123456789", n) }

// text draws n characters of an alphabet.
func (s source) text(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[s.IntN(len(alphabet))]
	}
	return string(b)
}

func (s source) one(of ...string) string { return of[s.IntN(len(of))] }

const (
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	plain  = upper + lower + "0123456789"
	urlSet = plain + "-_"
)

// value draws a value of a kind.
func (s source) value(kind spec.EntityKind) string { return makers[kind](s) }

// makers draws the values of each kind.
var makers = [spec.EntityKinds]func(source) string{
	spec.EntityPhone: func(s source) string {
		n := "1" + s.one("30", "35", "38", "39", "50", "59", "66", "73", "80", "88", "91", "95", "99") + s.digits(8)
		return s.one(n, n, "+86 "+n, "+86-"+n, n[:3]+" "+n[3:7]+" "+n[7:], n[:3]+"-"+n[3:7]+"-"+n[7:])
	},
	spec.EntityEmail: func(s source) string {
		name := s.text(lower, 1+s.IntN(9))
		local := s.one(name, name+s.digits(2), name+"."+s.text(lower, 5), name+"_"+s.text(lower, 3), name+"+"+s.text(lower, 4))
		return local + "@" + s.one("", "mail.") + s.text(lower, 2+s.IntN(8)) + "." + s.one("com", "cn", "com.cn", "org", "de", "io", "co.uk")
	},
	spec.EntityResidentID: func(s source) string {
		n := s.one("110105", "310101", "440305", "510104", "330106", "810000", "830000") + s.date("%04d%02d%02d") + s.digits(3)
		return n + mod112(n)
	},
	spec.EntityBankCard: func(s source) string {
		n := s.one("62"+s.digits(13), "62"+s.digits(16), "4"+s.digits(14), "51"+s.digits(13), "37"+s.digits(12), "6011"+s.digits(11), "35"+s.digits(13))
		n += luhn(n)
		return s.one(n, grouped(n, " "), grouped(n, "-"))
	},
	spec.EntityLandline: func(s source) string {
		return s.one("010-", "021-", "0755-", "0571-", "020 ") + s.one("2", "5", "6", "8") + s.digits(7)
	},
	spec.EntityPhoneUS: func(s source) string {
		area, exchange, line := s.one("212", "415", "650", "312", "718"), s.one("2", "4", "7")+s.one("0", "3", "5", "8")+s.digits(1), s.digits(4)
		return s.one(area+"-"+exchange+"-"+line, "("+area+") "+exchange+"-"+line, "+1 "+area+" "+exchange+" "+line, area+"."+exchange+"."+line)
	},
	spec.EntityPhoneIntl: func(s source) string {
		return s.one("+49 30 "+s.one("2", "5")+s.digits(7), "+44 20 7"+s.digits(3)+" "+s.digits(4), "+33 6 "+s.digits(2)+" "+s.digits(2)+" "+s.digits(2)+" "+s.digits(2), "+81 90 "+s.digits(4)+" "+s.digits(4))
	},
	spec.EntityPassport: func(s source) string {
		return s.one("E", "G") + s.digits(8)
	},
	spec.EntityPermit: func(s source) string { return s.one("H", "M", "C", "W") + s.digits(8) },
	spec.EntityPlate: func(s source) string {
		const set = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
		return s.one("京", "沪", "粤", "浙", "川") + s.text("ABCDEFGHJKLM", 1) + s.one("", "·") + s.text(set[:24], 1) + s.digits(3) + s.text(set, 1)
	},
	spec.EntityUSCC: func(s source) string {
		n := "91" + s.one("110000", "310000", "440300") + s.text(alphabet31, 9)
		return n + mod31(n)
	},
	spec.EntityHKID: func(s source) string {
		letters, n := s.text(upper, 1+s.IntN(2)), s.digits(6)
		return letters + n + "(" + hongKong(letters, n) + ")"
	},
	spec.EntityTWID: func(s source) string {
		letter, n := s.text(upper, 1), s.one("1", "2")+s.digits(7)
		return letter + n + taiwan(letter[0], n)
	},
	spec.EntitySSN: func(s source) string {
		return fmt.Sprintf("%03d-%02d-%04d", 1+s.IntN(665), 1+s.IntN(99), 1+s.IntN(9999))
	},
	spec.EntityIBAN: func(s source) string {
		country, account := "DE", s.digits(18)
		switch s.IntN(3) {
		case 0:
			country, account = "GB", s.text(upper, 4)+s.digits(14)
		case 1:
			country, account = "FR", s.digits(10)+s.text(upper+"0123456789", 11)+s.digits(2)
		}
		n := country + mod97(country, account) + account
		return s.one(n, grouped(n, " "))
	},
	spec.EntityIP: func(s source) string {
		if s.IntN(4) == 0 {
			return fmt.Sprintf("2001:db8:%x:%x::%x", s.IntN(65535)+1, s.IntN(65535)+1, s.IntN(65535)+1)
		}
		return fmt.Sprintf("%d.%d.%d.%d", s.IntN(190)+33, s.IntN(256), s.IntN(256), s.IntN(254)+1)
	},
	spec.EntityMAC: func(s source) string {
		const hex = "0123456789abcdef"
		parts := make([]string, 6)
		for i := range parts {
			parts[i] = s.text(hex, 2)
		}
		return strings.Join(parts, s.one(":", "-"))
	},
	spec.EntityIMEI: func(s source) string {
		n := s.one("35", "86", "01") + s.digits(12)
		return n + luhn(n)
	},
	spec.EntityVIN: func(s source) string {
		vin := []byte(s.one("1HG", "WVW", "LSV", "JTD") + s.text("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", 8) + s.digits(6))
		vehicle(vin)
		return string(vin)
	},
	spec.EntityAWSKey:      func(s source) string { return s.one("AKIA", "ASIA") + s.text(upper+"234567", 16) },
	spec.EntityGitHubToken: func(s source) string { return "github_pat_" + s.text(plain, 22) + "_" + s.text(plain, 59) },
	spec.EntitySlackToken: func(s source) string {
		return "xoxb-" + s.digits(12) + "-" + s.digits(12) + "-" + s.text(plain, 24)
	},
	spec.EntityOpenAIKey: func(s source) string { return s.one("sk-proj-", "sk-") + s.text(plain, 48) },
	spec.EntityGoogleKey: func(s source) string { return "AIza" + s.text(urlSet, 35) },
	spec.EntityJWT: func(s source) string {
		part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		return part(`{"alg":"RS256","typ":"JWT"}`) + "." + part(`{"sub":"`+s.digits(10)+`","iat":`+s.digits(10)+`}`) + "." + s.text(urlSet, 86)
	},
	spec.EntityPrivateKey: func(s source) string {
		kind := s.one("", "RSA ", "EC ")
		return `-----BEGIN ` + kind + `PRIVATE KEY-----\n` + s.text(plain+"+/", 64) + `\n` + s.text(plain+"+/", 64) + `\n-----END ` + kind + `PRIVATE KEY-----`
	},
	spec.EntityBearer:      func(s source) string { return s.text(plain, 20+s.IntN(20)) + s.digits(4) },
	spec.EntityURLPassword: func(s source) string { return s.text(lower, 6) + ":" + s.text(plain, 10) },
}

// date draws a day of birth.
func (s source) date(layout string) string {
	return fmt.Sprintf(layout, 1950+s.IntN(55), 1+s.IntN(12), 1+s.IntN(28))
}

// grouped puts a separator behind each four characters.
func grouped(n, separator string) string {
	var b strings.Builder
	for i, c := range n {
		if i > 0 && i%4 == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(c)
	}
	return b.String()
}
