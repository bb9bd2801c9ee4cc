package corpus

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// source draws values.
type source struct{ *rand.Rand }

func (s source) digits(n int) string { return s.text("0123456789", n) }

// text draws n characters of an alphabet.
func (s source) text(alphabet string, n int) string {
	characters, drawn := []rune(alphabet), make([]rune, n)
	for i := range drawn {
		drawn[i] = characters[s.IntN(len(characters))]
	}
	return string(drawn)
}

func (s source) one(of ...string) string { return of[s.IntN(len(of))] }

const (
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	plain  = upper + lower + "0123456789"
	urlSet = plain + "-_"
)

// form is a way to write values of a kind, and the words around them that it needs.
type form struct {
	kind      spec.EntityKind
	value     func(source) string
	templates []string // %s is the value
}

// forms returns those of a kind: the usual ones, and each that needs words of its own,
// but where values are grouped as nobody groups them.
func forms(kind spec.EntityKind, grouped bool) []form {
	all := []form{{kind: kind, value: makers[kind], templates: templates[kind]}}
	for _, f := range weakForms {
		if f.kind == kind && !grouped {
			all = append(all, f)
		}
	}
	return all
}

var weakForms = []form{
	{spec.EntityResidentID, func(s source) string { return s.province() + "0105" + s.date("%04d%02d%02d")[2:] + s.digits(3) }, []string{"身份证%s，请核对", "Identity card %s was presented."}},
	{spec.EntityBankCard, func(s source) string {
		n := s.one("9558", "9400") + s.digits(12)
		return s.one(n, n+s.digits(3), grouped(n, " "))
	}, []string{"银行卡号%s，请核对", "My bank card is %s."}},
	{spec.EntityBearer, func(s source) string {
		return base64.StdEncoding.EncodeToString([]byte(s.text(lower, 6) + ":" + s.text(plain, 10)))
	}, []string{"Authorization: Basic %s", "请求头 basic %s"}},
}

// makers draws the values of each kind.
var makers = [spec.EntityKinds]func(source) string{
	spec.EntityPhone: func(s source) string {
		n := s.mobile() + s.digits(8)
		return s.one(n, n, "+86 "+n, "+86-"+n, "86"+n, "0086"+n, n[:3]+" "+n[3:7]+" "+n[7:], n[:3]+"-"+n[3:7]+"-"+n[7:])
	},
	spec.EntityEmail: func(s source) string {
		name := s.text(lower, 1+s.IntN(9))
		local := s.one(name, name+s.digits(2), name+"."+s.text(lower, 5), name+"_"+s.text(lower, 3), name+"+"+s.text(lower, 4), strings.ToUpper(name), s.digits(9))
		return local + "@" + s.one("", "mail.") + s.text(lower, 2+s.IntN(8)) + "." + s.one("com", "cn", "com.cn", "org", "de", "io", "co.uk", "xn--fiqs8s")
	},
	spec.EntityResidentID: func(s source) string {
		n := s.one(s.province()+"0105", "810000", "820000", "830000") + s.date("%04d%02d%02d") + s.digits(3)
		return n + mod112(n)
	},
	spec.EntityBankCard: source.card,
	spec.EntityLandline: func(s source) string {
		short := s.one("2", "5", "6", "8") + s.digits(6)
		n := s.one("010-", "021-", "0755-", "0571-", "020 ", "(010)", "(0755) ") + short + s.digits(1)
		return s.one(n, s.one("0991-", "0431-", "(0898)")+short, n+"-"+s.digits(3))
	},
	spec.EntityPhoneUS: func(s source) string {
		area, exchange, line := s.one("212", "415", "650", "312", "718"), s.one("2", "4", "7")+s.one("0", "3", "5", "8")+s.digits(1), s.digits(4)
		return s.one(area+"-"+exchange+"-"+line, "("+area+") "+exchange+"-"+line, "+1 "+area+" "+exchange+" "+line, area+"."+exchange+"."+line, area+exchange+line, "1-"+area+"-"+exchange+"-"+line)
	},
	spec.EntityPhoneIntl: func(s source) string {
		return s.one("+49 30 "+s.one("2", "5")+s.digits(7), "+44 20 7"+s.digits(3)+" "+s.digits(4), "+33 6 "+s.digits(2)+" "+s.digits(2)+" "+s.digits(2)+" "+s.digits(2), "+81 90 "+s.digits(4)+" "+s.digits(4),
			"+4420"+s.one("7", "8")+s.digits(7), "+852 "+s.one("5", "6")+s.digits(3)+" "+s.digits(4), "+7 495 "+s.digits(3)+"-"+s.digits(2)+"-"+s.digits(2), "+91"+s.one("7", "9")+s.digits(9))
	},
	spec.EntityPassport: func(s source) string {
		return s.one("E"+s.digits(1), "G"+s.digits(1), "E"+s.text("ABCDEFGHJKLMNPQRSTUVWXYZ", 1), "14", "15", "P", "P.", "PE", "S", "SE", "D", "DE", "K"+s.digits(1), "H"+s.digits(1), "M", "MA") + s.digits(7)
	},
	spec.EntityPermit: func(s source) string {
		n := "9" + s.province() + s.digits(3) + s.date("%04d%02d%02d") + s.digits(3)
		return s.one(s.one("H", "M", "C", "W", "L")+s.digits(8), s.one("H", "M")+s.digits(10), s.one("C", "T")+s.text(upper, 1)+s.digits(7),
			"0"+s.digits(7), "0"+s.digits(9), "0"+s.digits(9)+"(B)", s.text(upper, 3)+s.digits(12), n+mod112(n))
	},
	spec.EntityPlate: func(s source) string {
		const set = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
		area := s.text("京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼", 1) + s.text("ABCDEFGHJKLM", 1) + s.one("", "·", "-")
		return area + s.one(s.text(set[:24], 1)+s.digits(3)+s.text(set, 1), s.digits(5), s.one("D", "F")+s.text(set, 1)+s.digits(4), s.digits(5)+s.one("D", "F"), s.digits(4)+s.one("挂", "学", "警", "港", "澳"))
	},
	spec.EntityUSCC: func(s source) string {
		n := s.one("91", "92", "93", "11", "12", "51", "52", "53", "Y1") + s.province() + s.digits(4) + s.text(alphabet31[10:], 1) + s.text(alphabet31, 8)
		return n + mod31(n)
	},
	spec.EntityHKID: func(s source) string {
		letters, n := s.text(upper, 1+s.IntN(2)), s.digits(6)
		check := hongKong(letters, n)
		return letters + n + s.one("("+check+")", check)
	},
	spec.EntityTWID: func(s source) string {
		letter, n := s.text(upper, 1), s.digits(7)
		second := s.one("1", "2", "8", "9", "A", "B", "C", "D")
		value := second
		if second >= "A" {
			value = string(second[0] - 'A' + '0')
		}
		return letter + second + n + taiwan(letter[0], value+n)
	},
	spec.EntityMacauID: func(s source) string {
		return s.one(s.one("1", "5", "7", "8")+s.digits(6)+"("+s.digits(1)+")", s.one("5", "7", "8")+s.digits(7))
	},
	spec.EntitySSN: func(s source) string {
		area, serial := fmt.Sprintf("%03d", 1+s.IntN(665)), fmt.Sprintf("%04d", 1+s.IntN(9999))
		return s.one(area+"-"+fmt.Sprintf("%02d", 1+s.IntN(99))+"-"+serial, "9"+s.digits(2)+"-4"+s.digits(1)+"-"+serial, area+" 1"+s.digits(1)+" "+serial, area+"1"+s.digits(1)+serial)
	},
	spec.EntityIBAN: source.account,
	spec.EntityIP:   source.address,
	spec.EntityMAC: func(s source) string {
		const hex = "0123456789abcdef"
		parts := make([]string, 6)
		for i := range parts {
			parts[i] = s.text(hex, 2)
		}
		return s.one(strings.Join(parts, ":"), strings.Join(parts, "-"), parts[0]+parts[1]+"."+parts[2]+parts[3]+"."+parts[4]+parts[5])
	},
	spec.EntityIMEI: func(s source) string {
		n := s.one("35", "86", "01", "99", "49") + s.digits(12)
		n += luhn(n)
		return s.one(n, n, n[:2]+"-"+n[2:8]+"-"+n[8:14]+"-"+n[14:])
	},
	spec.EntityVIN: func(s source) string {
		vin := []byte(s.one("1HG", "WVW", "LSV", "JTD") + s.text("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", 8) + s.digits(6))
		vehicle(vin)
		return string(vin)
	},
	spec.EntityAWSKey: func(s source) string {
		return s.one(s.one("AKIA", "ASIA")+s.text(upper+"234567", 16), s.text(plain+"+/", 37)+"aB3")
	},
	spec.EntityGitHubToken: func(s source) string {
		secret := s.text(plain, 30)
		return s.one("github_pat_"+s.text(plain, 22)+"_"+s.text(plain, 59), s.one("ghp_", "gho_", "ghu_", "ghs_", "ghr_")+secret+base62(crc32.ChecksumIEEE([]byte(secret))))
	},
	spec.EntitySlackToken: func(s source) string {
		return s.one("xoxb-"+s.digits(12)+"-"+s.digits(12)+"-"+s.text(plain, 24), "xoxp-"+s.digits(12)+"-"+s.digits(12)+"-"+s.digits(12)+"-"+s.text("0123456789abcdef", 32), "xapp-1-A"+s.text(upper, 10)+"-"+s.digits(13)+"-"+s.text("0123456789abcdef", 64))
	},
	spec.EntityOpenAIKey: func(s source) string {
		return s.one("sk-proj-", "sk-", "sk-svcacct-", "sk-ant-api03-") + s.text(plain, 48)
	},
	spec.EntityGoogleKey: func(s source) string { return "AIza" + s.text(urlSet, 35) },
	spec.EntityJWT: func(s source) string {
		part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		return part(`{"alg":"RS256","typ":"JWT"}`) + "." + part(`{"sub":"`+s.digits(10)+`","iat":`+s.digits(10)+`}`) + "." + s.text(urlSet, 86)
	},
	spec.EntityPrivateKey: func(s source) string {
		kind := s.one("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ")
		return `-----BEGIN ` + kind + `PRIVATE KEY-----\n` + s.text(plain+"+/", 64) + `\n` + s.text(plain+"+/", 64) + `\n-----END ` + kind + `PRIVATE KEY-----`
	},
	spec.EntityBearer:      func(s source) string { return s.text(plain, 20+s.IntN(20)) + s.digits(4) },
	spec.EntityURLPassword: func(s source) string { return s.text(lower, 6) + ":" + s.text(plain, 10) },
}

// mobile draws the first three digits of a mobile number in mainland China.
func (s source) mobile() string {
	third := [...]string{3: "0123456789", 4: "56789", 5: "012356789", 6: "2567", 7: "012345678", 8: "0123456789", 9: "012356789"}
	second := 3 + s.IntN(7)
	return "1" + string(rune('0'+second)) + s.text(third[second], 1)
}

// province draws the first two digits of a region in mainland China or Taiwan.
func (s source) province() string {
	return s.one("11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71")
}

// card draws the number of a card of one of the networks, in one of the lengths that it
// issues.
func (s source) card() string {
	n := s.one("62"+s.digits(13), "62"+s.digits(14), "62"+s.digits(16), "81"+s.digits(13), "4"+s.digits(11), "4"+s.digits(14), "4"+s.digits(17), s.one("51", "55")+s.digits(13), s.one("2221", "2720", "2500")+s.digits(11),
		s.one("34", "37")+s.digits(12), s.one("30", "36", "38")+s.digits(11), "6011"+s.digits(11), s.one("644", "65")+s.digits(13), "35"+s.digits(13))
	if n += luhn(n); len(n) == 19 && n[0] == '6' {
		return s.one(n, grouped(n, " "), n[:6]+" "+n[6:])
	}
	if len(n) == 15 {
		return s.one(n, n[:4]+" "+n[4:10]+" "+n[10:])
	}
	return s.one(n, grouped(n, " "), grouped(n, "-"))
}

// account draws an international account number in the form of one of the countries of
// the registry: a digit for each n of the form, a letter for a, either for c.
func (s source) account() string {
	form := s.one("DE nnnnnnnnnnnnnnnnnn", "GB aaaannnnnnnnnnnnnn", "FR nnnnnnnnnncccccccccccnn", "ES nnnnnnnnnnnnnnnnnnnn", "IT annnnnnnnnncccccccccnnn", "NL aaaannnnnnnnnn", "CH nnnnncnnnnnnnnnnn", "NO nnnnnnnnnnn", "BE nnnnnnnnnnnn",
		"PL nnnnnnnnnnnnnnnnnnnnnnnn", "SE nnnnnnnnnnnnnnnnnnnn", "AE nnnnnnnnnnnnnnnnnnn", "SA nncnnnnnnnnnnnnnnnnn", "BR nnnnnnnnnnnnnnnnnnnnnnnac", "MT aaaannnnnnnnnnnncccnnnnnnnn", "LC aaaannnnnnnnnnnnnnnnnnnncccc", "RU nnnnnnnnnnnnnncnnnnnnnnnnnnnn")
	var account strings.Builder
	for _, c := range form[3:] {
		account.WriteString(s.text(map[rune]string{'n': "0123456789", 'a': upper, 'c': upper + "0123456789"}[c], 1))
	}
	n := form[:2] + mod97(form[:2], account.String()) + account.String()
	return s.one(n, grouped(n, " "))
}

// address draws an IP address.
func (s source) address() string {
	group := func() string { return fmt.Sprintf("%x", s.IntN(65535)+1) }
	return s.one(fmt.Sprintf("%d.%d.%d.%d", s.IntN(190)+33, s.IntN(256), s.IntN(256), s.IntN(254)+1), fmt.Sprintf("10.%d.%d.%d", s.IntN(256), s.IntN(256), s.IntN(254)+1), "2001:db8:"+group()+":"+group()+"::"+group(),
		"2001:0db8:"+group()+":"+group()+":"+group()+":"+group()+":"+group()+":"+group(), "fe80::a"+s.text("0123456789", 3)+":"+group(), "fd00:1234::"+group(), fmt.Sprintf("::ffff:203.0.%d.%d", s.IntN(256), s.IntN(256)))
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
