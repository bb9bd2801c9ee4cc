package redact

import (
	"strings"
	"testing"
)

// fill puts a text into a window as one run, folded.
func fill(text string) *window {
	w := &window{}
	for _, r := range text {
		code := codeBreak
		switch {
		case r >= ' ' && r < 0x7F:
			code = byte(r)
		case r >= 0xFF01 && r <= 0xFF5E:
			code = byte(r - 0xFEE0)
		case r == 0x3000:
			code = ' '
		case r == 0xB7:
			code = codeDot
		case strings.ContainsRune("挂学警港澳", r):
			code = codePlateEnd
		case strings.ContainsRune("京沪粤川使领新云", r):
			code = codePlate
		case r >= 0x2010 && r <= 0x2015:
			code = codeDash
		case r == 0x200B:
			continue
		}
		if w.n < maxUnits {
			w.add(code, w.n, w.n+1)
		}
	}
	return w
}

type finder func(w *window, i int) (span, uint8, bool)

// locate returns the best match of a detector in a text, at the places where a
// number or a word begins.
func locate(f finder, text string) (value string, score uint8) {
	w := fill(text)
	for i := range w.n {
		if w.digitAt(i) && w.digitAt(i-1) || w.letterAt(i) && w.alnumAt(i-1) {
			continue
		}
		if m, s, ok := f(w, i); ok && s > score {
			value, score = string(w.code[m.start:m.end]), s
		}
	}
	return value, score
}

// detection is a text and what is found in it: nothing where value is empty.
type detection struct {
	text, value string
	score       uint8
}

func yes(value string, score uint8) detection { return detection{value, value, score} }
func no(text string) detection                { return detection{text: text} }

var detections = map[string]struct {
	find  finder
	cases []detection
}{
	"landline": {matchLandline, []detection{
		yes("010-62345678", 65), yes("0755-26551234", 65), yes("021-62345678-801", 65), yes("0431-8612345", 65),
		{"电话(010)62345678转", "(010)62345678", 70}, {"（０２１）６２３４５６７８", "(021)62345678", 70},
		{"座机01062345678。", "01062345678", 30}, {"tel010 6234 5678", "010 6234 5678", 40}, yes("0571-8765-4321", 65),
		no("026-62345678"), no("0100-62345678"), no("010-12345678"), no("010-6234567"), no("0320-6234567"), no("010-623456789"),
		no("2024-010-62345678"), no("0.01062345678"), no("0755-2655123456"), no("0431-86123456789"),
	}},
	"phoneUS": {matchPhoneUS, []detection{
		yes("(212) 555-0123", 75), yes("212-555-0123", 75), yes("212.555.0123", 60), yes("212 555 0123", 50), yes("+1 (212) 555-0123", 95),
		yes("+12125550123", 65), yes("1-800-555-0123", 85), yes("2125550123", 30), {"call212-555-0123x", "212-555-0123", 75}, yes("212–555–0123", 75).coded(),
		{"电话212-555-0123。", "212-555-0123", 75}, {"２１２-555-０１２３", "212-555-0123", 75},
		no("112-555-0123"), no("212-155-0123"), no("911-555-0123"), no("212-911-0123"), no("292-555-0123"), no("212-555-01234"), no("2024-212-555-0123"),
		no("0.2125550123"), no("212-555-012"), no("372-555-0123"),
	}},
	"phoneIntl": {matchPhoneIntl, []detection{
		yes("+44 20 7946 0958", 75), yes("+442079460958", 65), yes("+49 (0)30 901820", 75), yes("+86 10 6234 5678", 75), yes("+852 2345 6789", 75),
		yes("+33.1.42.68.53.00", 75), yes("+7 495 123-45-67", 75), {"请拨打+81-3-1234-5678。", "+81-3-1234-5678", 75}, {"+44 20 7946 0958 20241", "+44 20 7946 0958", 75},
		no("+2024-11-05"), no("+28123456789"), no("a+442079460958"), no("++442079460958"), no("+1 212 555"), no("+08:00"), no("+123456"),
		no("+4420794609581234567"), no("+2024-11-05 12:30"),
	}},
	"passport": {matchPassport, []detection{
		yes("E12345678", 30), yes("EA1234567", 30), yes("G12345678", 30), yes("150123456", 20), yes("P.1234567", 30), yes("PE1234567", 30), yes("SE1234567", 30),
		yes("D1234567", 30), yes("K12345678", 30), yes("H12345678", 30), yes("MA1234567", 30), {"护照e12345678号", "e12345678", 30},
		no("EI1234567"), no("EO1234567"), no("E1234567"), no("E123456789"), no("A12345678"), no("160123456"), no("xE12345678"), no("E12345678F"), no("PA1234567"),
	}},
	"permit": {func(w *window, i int) (span, uint8, bool) {
		if w.digitAt(i) {
			return matchPermitNumber(w, i)
		}
		return matchPermit(w, i)
	}, []detection{
		yes("H12345678", 30), yes("M1234567801", 30), yes("C12345678", 30), yes("CA1234567", 30), yes("TA1234567", 30), yes("L12345678", 30), yes("W12345678", 30),
		yes("12345678", 10), yes("1234567890", 10), {"1234567890(B)", "1234567890(B)", 60}, yes("DEU110081012203", 30), yes("911124198108030024", 100),
		no("20241105"), no("911124198108030025"), no("911124198113030024"), no("910024198108030024"), no("H123456789"), no("A12345678"), no("HA1234567"), no("2024-12345678"),
	}},
	"resident": {matchResidentID, []detection{
		yes("11010519491231002X", 100), yes("1101 0519 4912 3100 2X", 100), yes("110105-19491231-002X", 100), yes("1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 x", 100),
		no("11010519491231002Y"), no("110105194912310021"), no("10010519491231002X"), no("11010519491331002X"), no("1101 0519 4912 3100 X2"), no("11010519491231002X5"),
	}},
	"residentOld": {matchResidentOld, []detection{
		yes("110105491231002", 30), {"身份证110105491231002。", "110105491231002", 30},
		no("110105491331002"), no("100105491231002"), no("110105490230002"), no("1101054912310021"), no("0.110105491231002"),
	}},
	"plate": {matchPlate, []detection{
		{"车牌京A12345。", "\x04A12345", 85}, {"粤B·D12345", "\x04B\x03D12345", 85}, {"沪A·12345D", "\x04A\x0312345D", 85}, {"川A1234学", "\x04A1234\x05", 85}, {"京A·8888警", "\x04A\x038888\x05", 85},
		{"京AＡ123B", "\x04AA123B", 85}, {"京a 12345", "\x04a 12345", 85}, {"粤Z1234港", "\x04Z1234\x05", 85}, {"京ADF1234", "\x04ADF1234", 85},
		no("京I12345"), no("京AO1234"), no("京A1234"), no("京A1234567"), no("新FLASK1"), no("云ABC12"), no("京A12D345"), no("京A123456"), no("我A12345"), no("京AL12345D"),
	}},
	"uscc": {matchUSCC, []detection{
		yes("91350100M000100Y43", 100), yes("91110000600037341L", 100), yes("91440300708461136T", 100), yes("92110108MA01ABCDEK", 100), yes("911100006000373099", 100), no("911000001000015398"), no("123456789012345678"),
		yes("9135 0100 M000 100Y 43", 100), yes("91-350100-M000100Y4-3", 100), {"税号91350100m000100y43。", "91350100m000100y43", 100}, {"９１３５０１００M000100Y43", "91350100M000100Y43", 100},
		no("91350100M000100Y44"), no("91350100M000100Z43"), no("91350100M0001OOY43"), no("91990100M000100Y43"), no("91350100M000100Y430"), no("x91350100M000100Y43"), no("550e8400e29b41d4a7"),
	}},
	"hongKong": {matchHongKongID, []detection{
		yes("A123456(3)", 100), yes("AB987654(3)", 100), yes("G123456(A)", 100), yes("A1234563", 60), yes("A123456-3", 60), yes("A 123456 (3)", 100), yes("a123456(3)", 100),
		yes("WX1234569", 60), {"身份證Ａ１２３４５６（３）", "A123456(3)", 100}, yes("a1234563", 30), yes("A123 456(3)", 100), yes("B123406A", 60), yes("A 1234563", 30), yes("WX 1234569", 30),
		no("A123456(4)"), no("A1234564"), no("A12345(3)"), no("ABC1234563"), no("A12345634"), no("B123406B"), no("ID 5970767(3)"), no("G123456(0)"),
	}},
	"taiwan": {matchTaiwanID, []detection{
		yes("A123456789", 75), yes("F131245437", 75), yes("W100000001", 75), yes("A800000014", 75), yes("HD12345678", 75), yes("AC01234567", 75), yes("A1-2345-6789", 75),
		{"身分證Ａ１２３４５６７８９", "A123456789", 75}, yes("a123456789", 40), yes("A 123456789", 40), yes("HD 12345678", 40),
		no("A123456788"), no("A323456789"), no("A1234567890"), no("AE12345678"), no("HD12345679"), no("XA123456789"), no("A12345678"),
	}},
	"macau": {matchMacauID, []detection{
		yes("5215299(8)", 30), yes("1234567(8)", 30), {"澳門居民身份證７１２３４５６（７）", "7123456(7)", 30}, yes("1234567 (8)", 30), yes("12345678", 10), {"BIR51234567。", "51234567", 10},
		no("123456(7)"), no("1234567(89)"), no("19991231"), no("1999123(1"), no("1234-5678"), no("123456789"), no("12345678-9"), no("0.12345678"), no("1234567-8"),
	}},
	"card": {func(w *window, i int) (span, uint8, bool) {
		if !w.digitAt(i) {
			return miss()
		}
		return matchBankCard(w, i)
	}, []detection{
		yes("4111111111111111", 100), yes("9558801234567890123", 10), yes("9400 2112 3456 7890", 10), no("955880123456789"), no("95588012345678901234"), no("9558-801234567890123"), no("a9558801234567890123"),
	}},
	"ssn": {matchSSN, []detection{
		yes("914-27-6083", 70), yes("914-47-6083", 70), yes("123-45-6789", 70), yes("123 45 6789", 40), yes("123456789", 15), {"SSN123-45-6789x", "123-45-6789", 70},
		{"123‑45‑6789", "123\x0245\x026789", 70}, yes("123.45.6789", 40), yes("900-93-0001", 70),
		no("000-45-6789"), no("666-45-6789"), no("123-00-6789"), no("123-45-0000"), no("900-50-1234"), no("123-456-789"), no("123-45-67890"), no("1-123-45-6789"), no("123-45-6789-1"), no("12345-6789"), no("123-456789"),
	}},
	"iban": {matchIBAN, []detection{
		yes("GB29NWBK60161331926819", 100), yes("DE89 3704 0044 0532 0130 00", 100), yes("NO9386011117947", 100), yes("MT84MALT011000012345MTLCAST001S", 100), yes("fr1420041010050500013m02606", 100),
		yes("BR1800360305000010009795493C1", 100), {"账号GB29NWBK60161331926819。", "GB29NWBK60161331926819", 100}, yes("GB29-NWBK-6016-1331-9268-19", 100),
		no("GB29NWBK60161331926818"), no("GB28NWBK60161331926819"), no("XX29NWBK60161331926819"), no("GB29NWBK6016133192681"), no("GB29NWBK601613319268190"), no("IS 12 this is some words of a text now"),
	}},
	"ip": {matchIP, []detection{
		yes("192.168.1.10", 70), {"IP是192.168.1.10的", "192.168.1.10", 70}, yes("10.0.0.1", 70), yes("127.209.0.1", 70), yes("1.2.3.4", 40), {"http://203.0.113.7:8080/x", "203.0.113.7", 70}, {"10.1.2.3/24", "10.1.2.3", 70},
		{"at 203.0.113.7.", "203.0.113.7", 70}, {"root@203.0.113.7", "203.0.113.7", 70}, yes("2001:db8::1", 85), yes("2001:0db8:85a3:0000:0000:8a2e:0370:7334", 85), yes("fe80::1ff:fe23:4567:890a", 85),
		yes("::ffff:203.0.113.7", 85), yes("64:ff9b::203.0.113.7", 85), {"[2001:db8::1]:443", "2001:db8::1", 85}, yes("fd12:3456:789a::1", 85), {"2001:db8::/32", "2001:db8::", 85}, {"１９２.168.1.10", "192.168.1.10", 70},
		no("256.1.1.1"), no("192.168.01.1"), no("192.168.1"), no("1.192.168.1.10"), no("192.168.1.10.5"), no("127.0.0.1"), no("0.0.0.0"), no("255.255.255.0"), no("v192.168.1.10"), no("Chrome/49.0.2.1"),
		no("1.42.3.4-rc1"), no("pkg@18.2.0.1"), no("std::vector"), no("::1"), no("::"), no("12:30:45"), no("2001:db8::1::2"), no("1:2:3:4:5:6:7"), no("2001:db8:1:2:3:4:5:6:7"), no("g::1"),
		no("08:30:00:11:22:33:44"), no("12345::1"), no("T12:30"), no("chrome-49.0.2.1"),
	}},
	"mac": {matchMAC, []detection{
		yes("00:1A:2B:3C:4D:5E", 80), yes("00-1a-2b-3c-4d-5e", 80), yes("001a.2b3c.4d5e", 80), yes("10:20:30:40:50:60", 55), yes("10-20-30-40-50-60", 40), {"网卡00:1A:2B:3C:4D:5E。", "00:1A:2B:3C:4D:5E", 80},
		no("00:1A:2B:3C:4D"), no("00:1A:2B:3C:4D:5E:6F"), no("00:1A:2B-3C:4D:5E"), no("00:00:00:00:00:00"), no("ff:ff:ff:ff:ff:ff"), no("00:1A:2B:3C:4D:5G"), no("2024-11-05"), no("12:30:45"),
		no("550e8400-e29b-41d4-a716-446655440000"),
	}},
	"imei": {matchIMEI, []detection{
		yes("352099001761481", 60), yes("35-209900-176148-1", 60), yes("3520-9900-1761-481", 60), yes("860123045678900", 60), yes("490154203237518", 25), {"IMEI:352099001761481,", "352099001761481", 60},
		no("352099001761482"), no("3520990017614810"), no("35209900176148"), no("0.352099001761481"),
	}},
	"vin": {matchVIN, []detection{
		yes("1M8GDM9AXKP042788", 85), yes("1HGCM82633A004352", 85), yes("LSVAA4182E2184847", 85), yes("5GZCZ43D13S812715", 85), {"车架号LFV2A21K263012345。", "LFV2A21K263012345", 85}, yes("1HG-CM8263-3A004352", 85), yes("LSVA A418 2E21 8484 7", 85),
		no("1M8GDM9A1KP042788"), no("1HGCM82633A004353"), no("1HGCM82633A0043521"), no("1hgcm82633a004352"), no("1HGCM8263IA004352"), no("11111111111111111"), no("20241105T12304501"),
	}},
	"aws": {func(w *window, i int) (span, uint8, bool) {
		if m, score, ok := matchAWSKey(w, i); ok {
			return m, score, ok
		}
		return matchAWSSecret(w, i)
	}, []detection{
		yes("AKIAIOSFODNN7EXAMPLE", 95), yes("ASIAY34FZKBOKMUTVV7A", 95), {"密钥AKIAIOSFODNN7EXAMPLE。", "AKIAIOSFODNN7EXAMPLE", 95}, {"key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 20},
		{"/+alrXUtnFEMI7K7MDENG7bPxRfiCYEXAMPLEKEY", "/+alrXUtnFEMI7K7MDENG7bPxRfiCYEXAMPLEKEY", 20},
		no("AKIAIOSFODNN7EXAMPL"), no("AKIAIOSFODNN7EXAMPLEX"), no("AKIAIOSFODNN1EXAMPLE"), no("da39a3ee5e6b4b0d3255bfef95601890afd80709"), no("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEYx"),
	}},
	"github": {matchGitHubToken, []detection{
		yes("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", 100), yes("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", 100), yes("ghs_aaaaaaaaaaBBBBBBBBBB00000000003KW9Cj", 100),
		yes("ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18", 40), {"github_pat_11ABCDEFG0123456789abc_" + strings.Repeat("aB3", 19) + "xy", "github_pat_11ABCDEFG0123456789abc_aB3aB3aB3aB3aB3a", 95},
		no("ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq1"), no("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7"), no("ghx_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"), no("github_pat_11ABC_" + strings.Repeat("aB3", 19) + "xy"),
	}},
	"slack": {matchSlackToken, []detection{
		{"xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx", "xoxb-123456789012-123", 90}, {"xapp-1-A0123456789-1234567890123-abcdef", "xapp-1-A0123456789-12", 90}, {"xoxe.xoxp-1-Mi0yLTEyMzQ1Njc4OTAx", "xoxe.xoxp-1-Mi0yLTEyMzQ1Nj", 90},
		no("xoxo-love-you-very-much-indeed"), no("xoxb-12345"), no("xoxz-123456789012-1234567890123"),
	}},
	"openai": {matchOpenAIKey, []detection{
		yes("sk-abcdefghij0123456789T3BlbkFJabcdefghij0123456789", 90), {"sk-proj-" + strings.Repeat("aB3x", 39), "sk-proj-" + strings.Repeat("aB3x", 13) + "aB3", 90}, yes("sk-0123456789abcdef0123456789abcdef", 90), yes("sk-proj-zrTuvykDWlLERcHXwJDFIixmIvZ6HZJEffHQitdpEZjdWCAQ", 90), yes("sk-svcacct-sxkyPjdfgFHBVCRripQuzFbwoFIDGnaUBuJMrkrxvIaB", 90),
		no("sk-fading-circle-container-item-12"), no("sk-learn-0123456789"), no("sk-abcdefghijklmnopqrstuvwxyz"), no("ask-0123456789abcdef0123456789abcdef"[:20]),
	}},
	"google": {matchGoogleKey, []detection{
		yes("AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe", 95), no("AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQ"), no("AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe1"), no("AIzbSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"),
	}},
	"jwt": {matchJWT, []detection{
		{"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0", 95},
		{"eyJhbGciOiJSU0EtT0FFUCJ9.OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZ.48V1_ALb6US04U3b", "eyJhbGciOiJSU0EtT0FFUCJ9.OKOawDo13gRp2oja", 85},
		{"eyJhbGci" + strings.Repeat("aB3x", 60), "eyJhbGci" + strings.Repeat("aB3x", 28) + "aB3", 80}, no("eyJ" + strings.Repeat("aB3x", 60)),
		no("eyJ.eyJ.x"), no("eyJhbGciOiJIUzI1NiJ9"), no("keyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozj"[:30]), no("eyJrb29sIjoxfQ.foobarbazquux"),
	}},
	"privateKey": {matchPrivateKey, []detection{
		yes("-----BEGIN PRIVATE KEY-----", 100), yes("-----BEGIN RSA PRIVATE KEY-----", 100), yes("-----BEGIN OPENSSH PRIVATE KEY-----", 100), yes("-----BEGIN PGP PRIVATE KEY BLOCK-----", 100),
		no("-----BEGIN PUBLIC KEY-----"), no("-----BEGIN CERTIFICATE-----"), no("----BEGIN PRIVATE KEY-----"), no("-----BEGIN PRIVATE KEY"),
	}},
	"bearer": {matchBearer, []detection{
		{"Authorization: Bearer mF_9.B5f-4.1JqM-abc1", "mF_9.B5f-4.1JqM-abc1", 75}, {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 90}, {"bearer abcdefghijk", "abcdefghijk", 15},
		no("Bearer tokens are"), no("Basic authentication"), no("Basic QWxhZGRpbg=="), no("bearer"), no("basic OpenTelemetry metadata"), no("Basics QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
	}},
	"urlPassword": {matchURLPassword, []detection{
		{"postgres://user:s3cret@db.local:5432/x", "user:s3cret", 90}, {"redis://:p4ss@10.0.0.1", ":p4ss", 90}, {"https://a:p@ss@host/", "a:p@ss", 90},
		no("https://host:8080/a@b"), no("ssh://git@github.com/x"), no("https://example.com/?q=a:b@c"), no("http://user:${PASS}@host"), no("http://user:@host"), no("//user:pass@host"),
	}},
}

// coded replaces dashes by the code that they fold to.
func (d detection) coded() detection {
	d.value = strings.ReplaceAll(d.value, "–", string(rune(codeDash)))
	return d
}

func TestDetectors(t *testing.T) {
	for name, d := range detections {
		for _, c := range d.cases {
			if value, score := locate(d.find, c.text); value != c.value || score != c.score {
				t.Errorf("%s: %q: found %q with %d, want %q with %d", name, c.text, value, score, c.value, c.score)
			}
		}
	}
}
