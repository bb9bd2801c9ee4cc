package corpus

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Noise is a kind of text without personal data that looks as if it had some.
type Noise struct {
	Name string
	line func(source) string
}

// Noises returns all of them.
func Noises() []Noise {
	return []Noise{
		{"code", code},
		{"UUIDs and digests", func(s source) string {
			const hex = "0123456789abcdef"
			return s.one(s.text(hex, 8)+"-"+s.text(hex, 4)+"-4"+s.text(hex, 3)+"-a"+s.text(hex, 3)+"-"+s.text(hex, 12), s.text(hex, 40), "sha256:"+s.text(hex, 64))
		}},
		{"order numbers", func(s source) string {
			return s.one("Order #"+s.digits(10), "订单号 "+s.digits(12), "invoice INV-"+s.digits(8), "运单 SF"+s.digits(12), "ticket "+s.digits(7), "SKU "+s.text(upper, 3)+s.digits(6)) + s.one(" shipped", " 已发货", ".")
		}},
		{"timestamps", func(s source) string {
			return s.one(s.date("%04d-%02d-%02d")+"T"+fmt.Sprintf("%02d:%02d:%02d.%sZ", s.IntN(24), s.IntN(60), s.IntN(60), s.digits(3)), "17"+s.digits(8), "17"+s.digits(11), s.date("%04d%02d%02d")+s.digits(6), s.date("%04d年%d月%d日"))
		}},
		{"base64", func(s source) string {
			b := make([]byte, 60)
			for i := range b {
				b[i] = byte(s.Uint32())
			}
			return base64.StdEncoding.EncodeToString(b)
		}},
		{"versions and numbers", func(s source) string {
			return s.one(fmt.Sprintf("go1.%d.%d", s.IntN(30), s.IntN(9)), fmt.Sprintf("v%d.%d.%d.%d", s.IntN(9), s.IntN(20), s.IntN(9), s.IntN(9)), fmt.Sprintf("%d.%s", s.IntN(99), s.digits(12)), "about "+s.digits(3)+","+s.digits(3)+","+s.digits(3)+" rows", "π = 3.14159265358979", fmt.Sprintf("%d%% of %s", s.IntN(100), s.digits(6)))
		}},
		{"prose", prose},
		{"numbers of 16 digits without a word", func(s source) string { return s.digits(16) }},
	}
}

// Make returns lines of together at least n bytes, as the content of one JSON string.
func (k Noise) Make(seed uint64, n int) string {
	s := source{rand.New(rand.NewPCG(seed, 99))} //nolint:gosec // texts, not keys, and the same each time
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(k.line(s) + `\n`)
	}
	return b.String()
}

func code(s source) string {
	name := s.text(lower, 3+s.IntN(6))
	return s.one(
		fmt.Sprintf("for i := %d; i >= 0; i-- { %s[i] = 0x%s }", s.IntN(100000), name, s.text("0123456789abcdef", 8)),
		fmt.Sprintf("#define %s_MASK 0x%sUL", strings.ToUpper(name), s.text("0123456789ABCDEF", 16)),
		fmt.Sprintf("const %s = [%s, %s, %s, %s];", name, s.digits(4), s.digits(4), s.digits(4), s.digits(4)),
		fmt.Sprintf("npm install %s@%d.%d.%d-rc.%d", name, s.IntN(20), s.IntN(20), s.IntN(20), s.IntN(9)),
		fmt.Sprintf("@%s.setter def %s(self, value=%s): return self._%s", name, name, s.digits(6), name),
		fmt.Sprintf("SELECT %s FROM t WHERE id = %s AND ts > %s;", name, s.digits(9), s.digits(10)),
		fmt.Sprintf("padding: %spx %spx %spx; color: #%s;", s.digits(2), s.digits(2), s.digits(2), s.text("0123456789abcdef", 6)),
		fmt.Sprintf("return std::%s::value_%s(%s);", name, s.text(upper, 1), s.digits(5)),
	)
}

func prose(s source) string {
	return s.one(
		fmt.Sprintf("The committee met %d times in %d and spent %s dollars on chairs.", s.IntN(40), 1900+s.IntN(120), s.digits(5)),
		fmt.Sprintf("Chapter %d, page %d: the river rose by %d.%d metres in March.", s.IntN(40), s.IntN(900), s.IntN(9), s.IntN(9)),
		fmt.Sprintf("据统计，%d年全国共有%s人参加考试，比上年增长%d.%d%%。", 1990+s.IntN(35), s.digits(7), s.IntN(20), s.IntN(9)),
		fmt.Sprintf("第%d章 第%d节：水位在%d小时内上涨了%s厘米。", s.IntN(40), s.IntN(20), s.IntN(99), s.digits(3)),
		"To be sure, nobody had asked the baker about it, and the baker had not asked anybody.",
		"请把这段话翻译成英文，并用三句话总结主要观点。",
		fmt.Sprintf("Room %s on floor %d seats %d; doors open at %d:%02d.", s.digits(4), s.IntN(60), s.IntN(500), s.IntN(24), s.IntN(60)),
	)
}
