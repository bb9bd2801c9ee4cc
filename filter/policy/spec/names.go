package spec

// Names of the enumerations as YAML resources and documents write them, by value.
var (
	overflowNames  = []string{"refuse", "stream"}
	keyNames       = []string{"model", "tenant", "user", "peer"}
	limitNames     = []string{"semantic", "tokens"}
	failureNames   = []string{"closed", "open"}
	entityNames    = []string{"phone", "email", "residentID", "bankCard"}
	redactionNames = []string{"mask", "tag"}
)

// String returns refuse or stream.
func (o Overflow) String() string { return nameOf(overflowNames, o) }

// String returns model, tenant, user or peer.
func (k KeySource) String() string { return nameOf(keyNames, k) }

// String returns semantic or tokens.
func (m LimitMode) String() string { return nameOf(limitNames, m) }

// String returns closed or open.
func (f Failure) String() string { return nameOf(failureNames, f) }

// String returns phone, email, residentID or bankCard.
func (k EntityKind) String() string { return nameOf(entityNames, k) }

// String returns mask or tag.
func (m RedactionMode) String() string { return nameOf(redactionNames, m) }

// ParseOverflow reads what Overflow.String writes; the error lists the names.
func ParseOverflow(name string) (Overflow, error) { return valueOf[Overflow](overflowNames, name) }

// ParseKeySource reads what KeySource.String writes; the error lists the names.
func ParseKeySource(name string) (KeySource, error) { return valueOf[KeySource](keyNames, name) }

// ParseLimitMode reads what LimitMode.String writes; the error lists the names.
func ParseLimitMode(name string) (LimitMode, error) { return valueOf[LimitMode](limitNames, name) }

// ParseFailure reads what Failure.String writes; the error lists the names.
func ParseFailure(name string) (Failure, error) { return valueOf[Failure](failureNames, name) }

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
