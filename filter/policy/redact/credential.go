package redact

// maxHeader is how many units of a JWT's header are looked at. A longer one,
// with a chain of certificates, is taken by its beginning.
const maxHeader = 120

// matchJWT finds a JSON Web Token (RFC 7519) in compact form: a header and claims,
// both JSON objects in base64url and so beginning with eyJ, or an encrypted one
// (RFC 7516), whose second part may be anything.
func matchJWT(w *window, i int) (span, uint8, bool) {
	if !w.literal(i, "eyJ") || inKey.holds(w.at(i-1)) {
		return miss()
	}
	dot := w.while(i+3, maxHeader, inKey)
	switch {
	case dot == i+3+maxHeader && w.jose(i+3):
		return hitRest(i, dot, 80, restJWT)
	case dot < i+12 || w.at(dot) != '.':
		return miss()
	}
	end := w.while(dot+1, 16, inKey)
	switch {
	case end < dot+9:
		return miss()
	case w.literal(dot+1, "eyJ"):
		return hitRest(i, end, 95, restJWT)
	case w.jose(i + 3):
		return hitRest(i, end, 85, restJWT)
	}
	return miss()
}

// jose says whether the header behind its eyJ at unit i begins with a parameter of
// RFC 7515 or 7516 (alg, typ, enc, kid, x5c, x5t, cty) and not just with any name.
func (w *window) jose(i int) bool {
	const names = "hbGci" + "0eXAi" + "lbmMi" + "raWQi" + "4NWMi" + "4NXQi" + "jdHki"
	for k := 0; k < len(names); k += 5 {
		if w.literal(i, names[k:k+5]) {
			return true
		}
	}
	return false
}

// matchPrivateKey finds a private key in PEM (RFC 7468, RFC 4880, 6.2 and what
// OpenSSH writes): from -----BEGIN ... PRIVATE KEY----- to the end of its block.
func matchPrivateKey(w *window, i int) (span, uint8, bool) {
	if w.at(i-1) == '-' || !w.literal(i, "-----BEGIN ") {
		return miss()
	}
	end := w.while(i+11, 40, inLabel)
	if !w.literal(end, "-----") || !w.literal(end-11, "PRIVATE KEY") && !w.literal(end-17, "PRIVATE KEY BLOCK") {
		return miss()
	}
	return hitRest(i, end+5, 100, restPEM)
}

// matchBearer finds the credentials of an Authorization header: behind "Bearer"
// (RFC 6750, 2.1) a token of at least 16 characters with a digit, behind "Basic"
// (RFC 7617) base64 of a name, a colon and a password. Shorter and plainer
// tokens ask for a context word. The scheme stays.
func matchBearer(w *window, i int) (span, uint8, bool) {
	var body int
	basic := w.literalFold(i, "basic")
	switch {
	case basic:
		body = i + 5
	case w.literalFold(i, "bearer"):
		body = i + 6
	default:
		return miss()
	}
	if w.at(body) == ':' {
		body++
	}
	if w.at(body) != ' ' {
		return miss()
	}
	body = w.skipSep(body)
	end := w.while(body, 120, inToken)
	switch {
	case basic && w.userAndPassword(body, end):
		return hitRest(body, end, 90, restToken)
	case basic, end < body+8:
		return miss()
	}
	if m := w.mixture(body, end); end >= body+16 && m.digits > 0 && m.lower+m.upper > 0 {
		return hitRest(body, end, 75, restToken)
	}
	return hitRest(body, end, 15, restToken)
}

// userAndPassword says whether units [i, end) are base64 of a name in printable
// ASCII, a colon and more.
func (w *window) userAndPassword(i, end int) bool {
	bits, n, user, colon := uint32(0), 0, 0, false
	for ; i < end && w.code[i] != '='; i++ {
		v := base64Value(w.code[i])
		if v < 0 {
			return false
		}
		bits = bits<<6 | uint32(v)
		if n += 6; n >= 8 {
			n -= 8
			c := byte(bits >> n)
			if c < ' ' || c == 0x7F || !colon && c >= 0x80 || c == ':' && user == 0 {
				return false
			}
			user++
			colon = colon || c == ':'
		}
	}
	return colon
}

// base64Value is the value of a digit of base64 (RFC 4648, 4), or -1.
func base64Value(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case lower(c):
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}

// maxUserinfo is how many units of a URL's userinfo are looked at.
const maxUserinfo = 140

// matchURLPassword finds the user and the password in a URL (RFC 3986, 3.2.1):
// what stands between "://" and the last '@' of the authority, if it has a colon.
// It is called at the colon of "://".
func matchURLPassword(w *window, i int) (span, uint8, bool) {
	if !w.literal(i, "://") || !w.alnumAt(i-1) {
		return miss()
	}
	at, colon := 0, 0
	for k := i + 3; k < min(w.n, i+3+maxUserinfo); k++ {
		switch c := w.code[k]; c {
		case ' ', '/', '?', '#', '"', '<', '>', '\\', '{', '}', codeBreak:
			k = w.n
		case ':':
			if colon == 0 {
				colon = k
			}
		case '@':
			at = k
		}
	}
	if colon == 0 || at <= colon+1 || !w.alnumAt(at+1) && w.at(at+1) != '[' {
		return miss()
	}
	return hit(i+3, at, 90)
}
