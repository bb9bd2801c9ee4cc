package policytest

import (
	"encoding/base64"
	"strings"
)

// Text is what a redactor is measured on: raw content of a JSON string.
type Text struct {
	Name string
	// Unit is what is repeated.
	Unit string
	// Hostile says that it is made to cost as much as can be; other texts are such as
	// people write.
	Hostile bool
}

// Bytes returns as many whole units as have at most size bytes, and at least one.
func (t Text) Bytes(size int) []byte { return []byte(strings.Repeat(t.Unit, max(size/len(t.Unit), 1))) }

// Texts are what people write, with nothing personal in it but in those named chat and
// values, and texts in which every byte asks something of a redactor: rows of what values
// begin with, of values without their last character, and of all spellings.
func Texts() []Text {
	texts := []Text{
		{Name: "chat", Unit: chatText()},
		{Name: "English", Unit: `The Gateway reads a request once, from its first byte to its last, and never keeps more of it than it has to. ` +
			`Bob's team began with 12 models in May; today about 40% of all calls (some 3.5 million a day) go through it. ` +
			`"Why not a sidecar?" - because a second hop costs more than the filter does: see chapter 7, or ask Kim. `},
		{Name: "Chinese", Unit: "请帮我写一封邮件，通知客户我们的系统将于本周六凌晨两点进行升级，预计需要3个小时。"},
		{Name: "Chinese escaped", Unit: `\u8bf7\u5e2e\u6211\u5199\u4e00\u5c01\uff0c`},
		{Name: "code", Unit: `\tfor i := 0; i < 10; i++ {\n\t\tfmt.Println(\"value\", items[i])\n\t}\n\treturn nil, fmt.Errorf(\"read %s: %w\", path, err)\n}\n\n`},
		{Name: "base64", Unit: base64.StdEncoding.EncodeToString(randomBytes(48 << 10))},
		{Name: "form", Unit: "q=%E4%BD%A0%E5%A5%BD%20hello%2Cworld&n=1&"},
		{Name: "values", Unit: "13812345678 zhang@example.com 11010519491231002X 4111 1111 1111 1111, "},
	}
	for _, c := range hostileUnits {
		texts = append(texts, Text{c[0], c[1], true})
	}
	return texts
}

// chatText is a message of 1 KB with four values in it, and numbers that are none.
func chatText() string {
	text := `I am planning the move of our support desk and need a short notice for the customers. ` +
		`Please keep it friendly, say that we answer within one business day, and mention that orders placed before 2024-11-05 ` +
		`are not affected.\n\nContact: 张伟, 手机 13812345678, zhang.wei@example.com. ` +
		`For the invoice he gave 11010519491231002X and the card 4111 1111 1111 1111, which he wants to be kept private. ` +
		`The order number is 20241105-000123 over $1,299.90, tracking id 550e8400-e29b-41d4-a716-446655440000. ` +
		`请用中文和英文各写一份，语气自然一些，不要超过两百个字，并在结尾感谢他们的耐心等待。` +
		`\n\nAlso list the three most common questions that you expect, with an answer of one or two sentences each. `
	for len(text) < 1024 {
		text += "The tone of the brand is calm and plain; avoid exclamation marks and long words. "
	}
	return strings.ToValidUTF8(text[:1024], "")
}

// randomBytes are always the same: of a linear congruential generator (Knuth's MMIX).
func randomBytes(n int) []byte {
	b, state := make([]byte, n), uint64(21)
	for i := range b {
		state = state*6364136223846793005 + 1442695040888963407
		b[i] = byte(state >> 56)
	}
	return b
}

var hostileUnits = [][2]string{
	// rows of one thing
	{"digits", "7"}, {"fours", "4"}, {"groups", "7 "}, {"pairs", "71-"}, {"ats", "@"}, {"at words", "a@"}, {"dashes", "-"}, {"colons", ":"}, {"dots", "1."},
	{"dotted words", "a."}, {"jwts", "eyJ"}, {"keys", "sk-"}, {"begins", "-----BEGIN "}, {"upper", "A1"}, {"bearers", "bearer "}, {"basics", "Basic"}, {"schemes", "://a"},
	{"users", "://a:b"}, {"mixed", "a1B2-"}, {"parens", "(7)"}, {"open", "("}, {"percent signs", "%"}, {"plates", "京A"}, {"plates and digits", "京A1"},
	// hexadecimal
	{"hex", "ab:"}, {"hex pairs", "12:"}, {"hex dashes", "a1-"}, {"hex words", "dead:beef:"}, {"hex quads", "ab12."}, {"addresses", "10.1.2."}, {"double colons", "::1 "},
	// values that are not quite
	{"phones", "1381234567 "}, {"phones too long", "138123456789 "}, {"phone groups", "138 1234 567"}, {"foreign", "+44 20 "}, {"signs", "+1"}, {"eights", "12345678 "}, {"tens", "2125550123 "},
	{"cards", "4111 1111 1111 1112 "}, {"cards run on", "4111111111111112"}, {"cards in a row", "4111 "}, {"residents", "110105194912310021 "}, {"residents run on", "11010519491231002"},
	{"passports", "E1234567 "}, {"permits", "H12345678 "}, {"taiwan", "A123456780 "}, {"hong kong", "A123456(4) "}, {"ibans", "GB29 NWBK 6016 1331 9268 18 "}, {"ibans run on", "GB29NWBK60161331926818"},
	{"vins", "1M8GDM9AXKP042787 "}, {"creditcodes", "91350100M000100Y42 "}, {"imeis", "490154203237517 "}, {"ssn", "914-27-608 "}, {"ssns", "900-93-6083 "}, {"landlines", "0755-2655123 "},
	{"areas", "010 "}, {"mails", "zhang@example "}, {"domains", "a@b.c."}, {"locals", "a.b-c_d+e@"}, {"secrets", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE "}, {"slack", "xoxb-1-"}, {"google", "AIzaSyA-"},
	{"github", "ghp_abcdefghijklmnopqrstuvwxyz012345678 "}, {"amazon", "AKIAIOSFODNN7EXAMPL "}, {"openai", "sk-proj-abc "}, {"jwt parts", "eyJhbGciOi.eyJzdWIi "}, {"blocks", "-----BEGIN RSA PRIVATE KEY---- "},
	// context
	{"words", "phone "}, {"words of Chinese", "电话"}, {"words and numbers", "id 123456 "}, {"words and digits", "ip1.2.3.4"}, {"versions", "v1.2.3.4 "},
	// spellings
	{"backslashes", `\\`}, {"escapes", `\u0037`}, {"escaped letters", `\u0061`}, {"escaped twice", `\\u0031`}, {"percent", "%37"}, {"percent ats", "%40"}, {"wide", "７"}, {"wide groups", "７　"}, {"Arabic", "٧"},
	{"mathematical", "𝟕"}, {"surrogates", `\ud835\udfd5`}, {"hidden", "7\u200b"}, {"hidden alone", "\u200b"}, {"hidden escaped", `7\u200b`}, {"long dashes", "7—"}, {"middle dots", "A·1"}, {"cut", "\xe2\x80"}, {"slashes", `7\/`},
}
