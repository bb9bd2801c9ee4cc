package spec

// Names of the enumerations as YAML resources and documents write them, by value.
var (
	overflowNames  = []string{"refuse", "stream"}
	keyNames       = []string{"model", "tenant", "user", "peer", "apiKey", "clientIP", "header", "claim"}
	missingNames   = []string{"share", "refuse"}
	limitNames     = []string{"semantic", "tokens", "requests", "inFlight"}
	failureNames   = []string{"closed", "open"}
	scopeNames     = []string{"local", "shared"}
	entityNames    = []string{"phone", "email", "residentID", "bankCard"}
	redactionNames = []string{"mask", "tag"}
)

// String returns refuse or stream.
func (o Overflow) String() string { return nameOf(overflowNames, o) }

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

// String returns local or shared.
func (s Scope) String() string { return nameOf(scopeNames, s) }

// String returns phone, email, residentID or bankCard.
func (k EntityKind) String() string { return nameOf(entityNames, k) }

// String returns mask or tag.
func (m RedactionMode) String() string { return nameOf(redactionNames, m) }

// ParseOverflow reads what Overflow.String writes; the error lists the names.
func ParseOverflow(name string) (Overflow, error) { return valueOf[Overflow](overflowNames, name) }

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
func ParseEntityKind(name string) (EntityKind, error) { return valueOf[EntityKind](entityNames, name) }

// ParseRedactionMode reads what RedactionMode.String writes; the error lists the names.
func ParseRedactionMode(name string) (RedactionMode, error) {
	return valueOf[RedactionMode](redactionNames, name)
}

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
