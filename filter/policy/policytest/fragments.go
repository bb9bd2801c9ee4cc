package policytest

import (
	"math/rand/v2"
	"strings"
)

// RandomText draws the raw content of a JSON string that has values of all kinds and
// parts of them, spelled in several ways, and what stands around them.
func RandomText(random *rand.Rand) string {
	var b strings.Builder
	for range random.IntN(24) {
		b.WriteString(fragments[random.IntN(len(fragments))])
	}
	return b.String()
}

var fragments = []string{
	"13812345678", "138 1234 5678", "+86-138-1234-5678", "zhang.san@example.com", "a%40b.cn", "11010519491231002X", "4111 1111 1111 1111", "4111111111111111",
	"010-62345678", "(212) 555-0123", "+44 20 7946 0958", "护照E12345678", "回乡证H12345678", "京A12345", "91350100M000100Y43", "A123456(3)", "A123456789", "SSN 078-05-1120",
	"GB82WEST12345698765432", "GB82 WEST 1234 5698 7654 32", "203.0.113.77", "2001:db8::1:7", "00:1b:44:11:3a:b7", "IMEI 490154203237518", "1M8GDM9AXKP042788",
	"AKIAIOSFODNN7EXAMPLE", "ghp_", "xoxb-123456789012-123456789012-abcdefABCDEF123456789012", "sk-proj-abcdefghij0123456789abcdefghij0123456789", "AIzaSyA-1234567890abcdefghijklmnopqrstu",
	"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", `-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----`,
	"Bearer abcdef0123456789abcdef", "https://user:s3cretpass@host/x", `\u0031\u0033\u0038`, "１３８", "١٢٣٤", "\u200b", "\ufeff", `\u200d`, `\\n`, `\n`, `\"`, `\\u0040`, "%40",
	"@", ".", "-", " ", "_", "+", "/", "(", ")", ":", "1", "62", "138", "0000", "a", "AB", "eyJ", "sk-", "://", "-----BEGIN ", "手机", "邮箱", "卡号", "，", "é", "🙂", `\ud83d\ude00`, "phone ", "id ", "word ",
}
