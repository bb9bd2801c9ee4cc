package redact

// charset is a set of characters that keys are made of.
type charset uint8

const (
	inWord   charset = iota // letters and digits
	inBase32                // RFC 4648, 6
	inLabel                 // RFC 7468, 3: the label of a PEM block in capitals
	inBase64                // RFC 4648, 4, with its padding
	inKey                   // RFC 4648, 5: base64url
	inToken                 // RFC 9110, 11.2: token68
)

// holds says whether the set has a code.
func (s charset) holds(code byte) bool {
	p := props[code]
	switch {
	case p&(isDigit|isLetter) == 0:
	case s == inBase32:
		return p&isUpper != 0 || code >= '2' && code <= '7'
	case s == inLabel:
		return p&(isUpper|isDigit) != 0
	default:
		return true
	}
	switch code {
	case '+', '/', '=':
		return s == inBase64 || s == inToken
	case '-', '_':
		return s >= inKey
	case '.', '~':
		return s == inToken
	case ' ':
		return s == inLabel
	}
	return false
}

// kinds of characters in a stretch of units.
type mixture struct {
	digits, lower, upper, other int
	stretch                     int // most letters and digits in a row
}

func (w *window) mixture(i, end int) (m mixture) {
	row := 0
	for _, c := range w.code[i:end] {
		switch p := props[c]; {
		case p&isDigit != 0:
			m.digits++
		case p&isLetter == 0:
			m.other++
			row = 0
			continue
		case lower(c):
			m.lower++
		default:
			m.upper++
		}
		row++
		m.stretch = max(m.stretch, row)
	}
	return m
}

// matchAWSKey finds an AWS access key ID, of a user (AKIA) or of a session (ASIA),
// with 16 characters of base32 (IAM reference, unique identifiers).
func matchAWSKey(w *window, i int) (span, uint8, bool) {
	if !w.literal(i, "AKIA") && !w.literal(i, "ASIA") {
		return miss()
	}
	if end := w.while(i+4, 16, inBase32); end == i+20 && !w.alnumAt(end) {
		return hit(i, end, 95)
	}
	return miss()
}

// matchAWSSecret finds, by a context word, a secret access key of AWS: 40
// characters of base64 that are no hexadecimal digest.
func matchAWSSecret(w *window, i int) (span, uint8, bool) {
	for k := 0; k < 2 && i > w.floor && (w.at(i-1) == '/' || w.at(i-1) == '+'); k++ {
		i-- // base64, too, though no letter
	}
	if inBase64.holds(w.at(i-1)) && w.at(i-1) != '=' {
		return miss()
	}
	if !inBase64.holds(w.at(i+20)) || !inBase64.holds(w.at(i+39)) {
		return miss() // most words
	}
	if end := w.while(i, 41, inBase64); end == i+40 {
		if m := w.mixture(i, end); m.digits > 0 && m.lower > 0 && m.upper > 0 {
			return hit(i, end, 20)
		}
	}
	return miss()
}

// matchGitHubToken finds a token of GitHub: ghp_, gho_, ghu_, ghs_ or ghr_, 30
// letters and digits and their CRC-32 in six digits of base 62 (GitHub, "Behind
// GitHub's new authentication token formats", 2021), which asks for a context
// word where it is wrong; or github_pat_, 22 characters, "_" and 59 characters.
func matchGitHubToken(w *window, i int) (span, uint8, bool) {
	if w.literal(i, "github_pat_") {
		middle := w.while(i+11, 23, inWord)
		if end := w.while(middle+1, 16, inWord); middle == i+33 && w.at(middle) == '_' && end == middle+17 {
			return hitRest(i, end, 95, restKey)
		}
		return miss()
	}
	if !w.literal(i, "gh") || indexOf("pousr", w.at(i+2)) < 0 || w.at(i+3) != '_' {
		return miss()
	}
	end := w.while(i+4, 37, inWord)
	if end != i+40 {
		return miss()
	}
	sum := w.crc32(i+4, i+34)
	for k := end - 1; k >= i+34; k-- {
		if indexOf("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", w.code[k]) != int(sum%62) {
			return hit(i, end, 40)
		}
		sum /= 62
	}
	return hit(i, end, 100)
}

// crc32 is the CRC-32 of IEEE 802.3 of units [i, end).
func (w *window) crc32(i, end int) uint32 {
	sum := ^uint32(0)
	for _, c := range w.code[i:end] {
		sum ^= uint32(c)
		for range 8 {
			sum = sum>>1 ^ 0xEDB88320&-(sum&1)
		}
	}
	return ^sum
}

// matchSlackToken finds a token of Slack: xox, a letter for its kind and a hyphen,
// or xapp-, then numbers and a secret with hyphens between them (Slack API, token
// types).
func matchSlackToken(w *window, i int) (span, uint8, bool) {
	body := i + 5
	switch {
	case w.literal(i, "xapp-"):
	case !w.literal(i, "xox") || indexOf("abcdeoprs", w.at(i+3)) < 0:
		return miss()
	case w.literal(i+4, ".xox"): // rotated: xoxe.xoxp-
		body = i + 10
	}
	if w.at(body-1) != '-' || !w.digitAt(body) && w.at(i+3) != 'd' {
		return miss()
	}
	end := w.while(body, 16, inKey)
	if end < body+16 {
		return miss()
	}
	return hitRest(i, end, 90, restKey)
}

// matchOpenAIKey finds a secret key as OpenAI and those who follow it issue them:
// sk-, perhaps a word for its kind (proj-, svcacct-, admin-, ant-api03-), and at
// least 20 characters of base64url that are no name of a CSS class or a package:
// letters of both cases behind such a word, or 16 letters and digits in a row.
func matchOpenAIKey(w *window, i int) (span, uint8, bool) {
	if !w.literal(i, "sk-") || w.literal(i-3, "sk-") {
		return miss()
	}
	end := w.while(i+3, 60, inKey)
	if end < i+23 {
		return miss()
	}
	named := w.literal(i+3, "proj-") || w.literal(i+3, "ant-") || w.literal(i+3, "svcacct-") || w.literal(i+3, "admin-")
	m := w.mixture(i+3, end)
	switch {
	case named && m.upper >= 2 && m.lower >= 2 && (m.stretch >= 16 || m.digits >= 2):
		return hitRest(i, end, 90, restKey)
	case m.stretch >= 16 && m.digits >= 2 && m.lower+m.upper >= 2, m.stretch >= 40 && m.upper >= 4 && m.lower >= 4:
		return hitRest(i, end, 90, restKey)
	}
	return miss()
}

// matchGoogleKey finds an API key of Google: AIza and 35 characters of base64url.
func matchGoogleKey(w *window, i int) (span, uint8, bool) {
	if !w.literal(i, "AIza") || w.while(i+4, 36, inKey) != i+39 {
		return miss()
	}
	return hit(i, i+39, 95)
}
