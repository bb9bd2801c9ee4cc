package redact

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// contextWord is a word by which weak forms are known.
type contextWord struct {
	word  string // an English word in lower case, or two Han characters
	kinds wordSet
}

// wordSet is a set of kinds that context words speak for, and behind those, shifted,
// of kinds that they speak against.
type wordSet uint64

const againstShift = 32

// noAddress is set in the numbers that stand in tables here, which then are above all
// addresses that memory ever has: TinyGo's collector looks at each word of a table as if
// it were one, and does not free what would be there.
const noAddress = 1 << 31

// not makes a set of what words speak against.
func not(all ...spec.EntityKind) wordSet { return kinds(all...) << againstShift }

// against holds the kinds against which a word speaks.
var against = func() (set wordSet) {
	for _, w := range contextWords {
		set |= w.kinds >> againstShift
	}
	return set
}()

// kinds makes a set.
func kinds(all ...spec.EntityKind) (set wordSet) {
	set = noAddress
	for _, k := range all {
		set |= 1 << k
	}
	return set
}

var (
	phones = kinds(spec.EntityPhone, spec.EntityLandline, spec.EntityPhoneUS, spec.EntityPhoneIntl)

	passports = kinds(spec.EntityPassport)
	permits   = kinds(spec.EntityPermit)
	ids       = kinds(spec.EntityResidentID, spec.EntityHKID, spec.EntityTWID)
	macau     = kinds(spec.EntityMacauID) // eight digits have many an "id" before them
	secrets   = kinds(spec.EntityAWSKey, spec.EntityGitHubToken, spec.EntitySlackToken, spec.EntityOpenAIKey, spec.EntityGoogleKey)
)

// contextWords are all of them. Words are compared whole; phone_number and
// phoneNumber are two.
var contextWords = [...]contextWord{
	{"phone", phones}, {"telephone", phones}, {"tel", phones}, {"mobile", phones}, {"cell", phones}, {"cellphone", phones}, {"call", phones}, {"fax", phones},
	{"contact", phones}, {"whatsapp", phones}, {"hotline", phones}, {"landline", phones},
	{"电话", phones}, {"手机", phones}, {"座机", phones}, {"固话", phones}, {"传真", phones}, {"联系", phones}, {"热线", phones}, {"致电", phones}, {"拨打", phones},
	{"passport", passports}, {"passports", passports}, {"护照", passports}, {"護照", passports}, {"证件", passports | permits | ids | macau}, {"證件", passports | permits | ids | macau},
	{"permit", permits}, {"通行", permits}, {"回乡", permits}, {"回鄉", permits}, {"台胞", permits}, {"居留", permits | ids},
	{"id", ids}, {"idcard", ids}, {"identity", ids}, {"hkid", ids}, {"arc", ids}, {"身份", ids | macau}, {"身分", ids | macau}, {"香港", ids},
	{"macau", macau}, {"macao", macau}, {"澳门", macau}, {"澳門", macau},
	{"plate", kinds(spec.EntityPlate)}, {"license", kinds(spec.EntityPlate)}, {"licence", kinds(spec.EntityPlate)}, {"vehicle", kinds(spec.EntityPlate, spec.EntityVIN)},
	{"车牌", kinds(spec.EntityPlate)}, {"牌照", kinds(spec.EntityPlate)},
	{"uscc", kinds(spec.EntityUSCC)}, {"credit", kinds(spec.EntityUSCC, spec.EntityBankCard)}, {"信用", kinds(spec.EntityUSCC, spec.EntityBankCard)}, {"税号", kinds(spec.EntityUSCC)},
	{"ssn", kinds(spec.EntitySSN)}, {"social", kinds(spec.EntitySSN)}, {"security", kinds(spec.EntitySSN)}, {"社保", kinds(spec.EntitySSN)}, {"社安", kinds(spec.EntitySSN)}, {"社会", kinds(spec.EntitySSN, spec.EntityUSCC)},
	{"iban", kinds(spec.EntityIBAN)}, {"account", kinds(spec.EntityIBAN, spec.EntityBankCard)}, {"card", kinds(spec.EntityBankCard)},
	{"卡号", kinds(spec.EntityBankCard)}, {"账号", kinds(spec.EntityBankCard, spec.EntityIBAN)}, {"账户", kinds(spec.EntityBankCard, spec.EntityIBAN)}, {"银行", kinds(spec.EntityBankCard, spec.EntityIBAN)},
	{"ip", kinds(spec.EntityIP)}, {"address", kinds(spec.EntityIP, spec.EntityMAC)}, {"ipv", kinds(spec.EntityIP)}, {"host", kinds(spec.EntityIP)}, {"server", kinds(spec.EntityIP)}, {"dns", kinds(spec.EntityIP)}, {"gateway", kinds(spec.EntityIP)}, {"ping", kinds(spec.EntityIP)}, {"主机", kinds(spec.EntityIP)}, {"网关", kinds(spec.EntityIP)}, {"地址", kinds(spec.EntityIP, spec.EntityMAC)}, {"mac", kinds(spec.EntityMAC)}, {"ethernet", kinds(spec.EntityMAC)}, {"网卡", kinds(spec.EntityMAC)}, {"interface", kinds(spec.EntityMAC)}, {"接口", kinds(spec.EntityMAC)},
	{"imei", kinds(spec.EntityIMEI)}, {"device", kinds(spec.EntityIMEI)}, {"串号", kinds(spec.EntityIMEI)},
	{"vin", kinds(spec.EntityVIN)}, {"chassis", kinds(spec.EntityVIN)}, {"车架", kinds(spec.EntityVIN)}, {"识别", kinds(spec.EntityVIN)},
	{"key", secrets}, {"secret", secrets}, {"token", secrets}, {"aws", kinds(spec.EntityAWSKey)}, {"github", kinds(spec.EntityGitHubToken)}, {"密钥", secrets}, {"令牌", secrets},
	{"version", not(spec.EntityIP)}, {"release", not(spec.EntityIP)}, {"firmware", not(spec.EntityIP)}, {"section", not(spec.EntityIP)}, {"版本", not(spec.EntityIP)}, {"固件", not(spec.EntityIP)},
	{"authorization", kinds(spec.EntityBearer)}, {"auth", kinds(spec.EntityBearer)}, {"认证", kinds(spec.EntityBearer)},
}

const wordSlots = 256 // a power of two, more than twice the number of words

// wordTable holds the words by their hashes.
var wordTable = func() (t [wordSlots]struct {
	hash  uint32
	kinds wordSet
}) {
	for _, w := range contextWords {
		var h wordHash
		for end := len(w.word); end > 0; {
			c, size := utf8.DecodeLastRuneInString(w.word[:end])
			h.add(uint32(c))
			end -= size
		}
		slot := h % wordSlots
		for t[slot].hash != 0 {
			slot = (slot + 1) % wordSlots
		}
		t[slot].hash, t[slot].kinds = uint32(h)|noAddress, w.kinds
	}
	return t
}()

// wordHash is the hash of the characters of a word, the last one first, 0 of none.
type wordHash uint32

func (h *wordHash) add(c uint32) { *h = (*h ^ wordHash(c) + 1) * 0x9E3779B1 }

// kinds returns those with the word.
func (h wordHash) kinds() wordSet {
	for slot := h % wordSlots; wordTable[slot].hash != 0; slot = (slot + 1) % wordSlots {
		if wordTable[slot].hash == uint32(h)|noAddress {
			return wordTable[slot].kinds
		}
	}
	return 0
}

// letterIn holds the letter, in lower case, that a byte is, and 0 for other bytes.
var letterIn = func() (t [256]byte) {
	for c := range t {
		if props[asciiCode[c]]&isLetter != 0 {
			t[c] = byte(c) | 0x20
		}
	}
	return t
}()

// Bits of eight bytes that are set in letters (and not in digits, space and most marks), and in
// what is no ASCII.
const (
	eightLetters = 0x4040404040404040
	eightWide    = 0x8080808080808080
)

// escapeBytes is how many bytes before a character its escape may begin.
const escapeBytes = 6

// plain says whether the last n bytes, and those before them that may be a part of their escapes,
// are ASCII without a backslash.
func (b behind) plain(n int) bool {
	k := max(0, len(b)-n-escapeBytes)
	for ; k+8 <= len(b); k += 8 {
		eight := binary.LittleEndian.Uint64(b[k:])
		if eight&eightWide != 0 {
			return false
		}
		if eight&eightLetters != 0 && hasBackslash(eight) {
			return false
		}
	}
	for _, c := range b[k:] {
		if c >= 0x80 || c == '\\' {
			return false
		}
	}
	return true
}

// hasBackslash says whether one of eight ASCII bytes is a backslash.
func hasBackslash(eight uint64) bool {
	const each = 0x0101010101010101
	zero := eight ^ each*'\\'
	return (zero-each)&^zero&eightWide != 0
}

// plainWords is words where all characters are ASCII as they are.
func (b behind) plainWords(most int) (set wordSet) {
	var word wordHash
	behind, last := byte(0), max(0, len(b)-most)
	for k := len(b) - 1; k >= last; k-- {
		c := b[k]
		letter := letterIn[c]
		if letter == 0 {
			if word != 0 {
				set |= word.kinds()
				word = 0
			}
			behind = 0
			for k-8 >= last && binary.LittleEndian.Uint64(b[k-8:])&eightLetters == 0 {
				k -= 8
			}
			continue
		}
		if c == letter && behind-'A' < 26 { // hostIP
			set |= word.kinds()
			word = 0
		}
		word.add(uint32(letter))
		if c != letter && behind-'a' < 26 { // phoneNumber
			set |= word.kinds()
			word = 0
		}
		behind = c
	}
	if word != 0 {
		set |= word.kinds()
	}
	return set
}

// words reads so many characters back and looks up each word among them.
func (b behind) words(most int) (set wordSet) {
	if b.plain(most) {
		return b.plainWords(most)
	}
	var word wordHash
	next := uint32(0) // the character behind
	for ; most >= 0; most-- {
		c := uint32(0) // the word ends behind the last one
		if most > 0 {
			c = b.char()
		}
		lower := c
		if c-'A' < 26 {
			lower += 0x20
		}
		switch {
		case c == 0:
			most = 0
			fallthrough
		case lower-'a' >= 26:
			if word != 0 {
				set |= word.kinds()
			}
			word = 0
			if c >= firstHan && next >= firstHan {
				var pair wordHash
				pair.add(next)
				pair.add(c)
				set |= pair.kinds()
			}
		default:
			if c == lower && next-'A' < 26 { // hostIP
				set |= word.kinds()
				word = 0
			}
			word.add(lower)
			if c != lower && next-'a' < 26 { // phoneNumber
				set |= word.kinds()
				word = 0
			}
		}
		next = c
	}
	return set
}
