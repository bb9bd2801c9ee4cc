package spec

// Names of the enumerations as YAML resources and documents write them, by value.
var (
	overflowNames  = []string{"refuse", "stream"}
	evidenceNames  = []string{"none", "closed", "open"}
	keyNames       = []string{"model", "tenant", "user", "peer", "apiKey", "clientIP", "header", "claim"}
	missingNames   = []string{"share", "refuse"}
	limitNames     = []string{"semantic", "tokens", "requests", "inFlight"}
	failureNames   = []string{"closed", "open"}
	scopeNames     = []string{"local", "shared", "ratelimit"}
	encodingsNames = []string{"identity", "refuse", "decompress"}
	directionNames = []string{"request", "response"}
	entityNames    = []string{
		"phone", "email", "residentID", "bankCard", "landline", "phoneUS", "phoneIntl", "passport", "permit", "plate", "uscc", "hkID", "twID", "ssn",
		"iban", "ip", "mac", "imei", "vin", "macauID", "awsKey", "githubToken", "slackToken", "openaiKey", "googleKey", "jwt", "privateKey", "bearer", "urlPassword",
		"custom",
	}
	redactionNames = []string{"mask", "tag", "hmac", "format", "drop", "token", "block", "detect"}
	shapeNames     = []string{"usual", "article", "lastFour", "full"}
)

// String returns refuse or stream.
func (o Overflow) String() string { return nameOf(overflowNames, o) }

// String returns none, closed or open.
func (e Evidence) String() string { return nameOf(evidenceNames, e) }

// String returns model, tenant, user, peer, apiKey, clientIP, header or claim.
func (k KeySource) String() string { return nameOf(keyNames, k) }

// String returns the source, and behind a colon the name if it has one.
func (k KeyPart) String() string {
	if k.Name == "" {
		return k.Source.String()
	}
	return k.Source.String() + ":" + k.Name
}

// String returns share or refuse.
func (m Missing) String() string { return nameOf(missingNames, m) }

// String returns semantic, tokens, requests or inFlight.
func (m LimitMode) String() string { return nameOf(limitNames, m) }

// String returns closed or open.
func (f Failure) String() string { return nameOf(failureNames, f) }

// String returns local, shared or ratelimit.
func (s Scope) String() string { return nameOf(scopeNames, s) }

// String returns identity, refuse or decompress.
func (e Encodings) String() string { return nameOf(encodingsNames, e) }

// Names returns the names of the directions in the set.
func (d Direction) Names() []string {
	var names []string
	for i, name := range directionNames {
		if d>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String returns request or response; of a set of both, request.
func (d Direction) String() string { return directionNames[1&^d&1] }

// String returns the name in a policy, as phone or residentID; custom for those of custom
// entries.
func (k EntityKind) String() string { return nameOf(entityNames, min(k, EntityCustom)) }

// String returns mask, tag, hmac, format, drop, token, block or detect.
func (m RedactionMode) String() string { return nameOf(redactionNames, m) }

// String returns usual, article, lastFour or full.
func (s MaskShape) String() string { return nameOf(shapeNames, s) }

// ParseOverflow reads what Overflow.String writes; the error lists the names.
func ParseOverflow(name string) (Overflow, error) { return valueOf[Overflow](overflowNames, name) }

// ParseEvidence reads what Evidence.String writes; the error lists the names.
func ParseEvidence(name string) (Evidence, error) { return valueOf[Evidence](evidenceNames, name) }

// ParseKeyPart reads what KeyPart.String writes; the error lists the sources.
func ParseKeyPart(text string) (KeyPart, error) {
	source, name := text, ""
	for i := 0; i < len(text); i++ {
		if text[i] == ':' {
			source, name = text[:i], text[i+1:]
			break
		}
	}
	s, err := valueOf[KeySource](keyNames, source)
	if err == nil && (s >= KeyHeader) != (name != "") {
		err = &Error{Problem: quote(text) + " is no part of a key: only header and claim take a name, as in header:x-team or claim:org.team"}
	}
	return KeyPart{Source: s, Name: name}, err
}

// ParseMissing reads what Missing.String writes; the error lists the names.
func ParseMissing(name string) (Missing, error) { return valueOf[Missing](missingNames, name) }

// ParseLimitMode reads what LimitMode.String writes; the error lists the names.
func ParseLimitMode(name string) (LimitMode, error) { return valueOf[LimitMode](limitNames, name) }

// ParseFailure reads what Failure.String writes; the error lists the names.
func ParseFailure(name string) (Failure, error) { return valueOf[Failure](failureNames, name) }

// ParseScope reads what Scope.String writes; the error lists the names.
func ParseScope(name string) (Scope, error) { return valueOf[Scope](scopeNames, name) }

// ParseEntityKind reads what EntityKind.String writes; the error lists the names.
func ParseEntityKind(name string) (EntityKind, error) {
	return valueOf[EntityKind](entityNames[:EntityKinds], name)
}

// ParseRedactionMode reads what RedactionMode.String writes; the error lists the names.
func ParseRedactionMode(name string) (RedactionMode, error) {
	return valueOf[RedactionMode](redactionNames, name)
}

// ParseEncodings reads what Encodings.String writes; the error lists the names.
func ParseEncodings(name string) (Encodings, error) { return valueOf[Encodings](encodingsNames, name) }

// ParseDirection reads request or response; the error lists them.
func ParseDirection(name string) (Direction, error) {
	i, err := valueOf[Direction](directionNames, name)
	return 1 << i, err
}

// ParseMaskShape reads what MaskShape.String writes; the error lists the names.
func ParseMaskShape(name string) (MaskShape, error) { return valueOf[MaskShape](shapeNames, name) }

func nameOf[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "invalid"
}

func valueOf[T ~uint8](names []string, name string) (T, error) {
	list := ""
	for i, n := range names {
		if n == name {
			return T(i), nil
		}
		if i > 0 {
			list += ", "
		}
		list += n
	}
	return 0, &Error{Problem: quote(name) + " is not one of " + list}
}
