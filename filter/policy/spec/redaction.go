package spec

// Redaction is the rule set for personal data in the strings of requests and answers.
type Redaction struct {
	Name      string
	Models    []string // canonical names; empty: all
	Entities  []Entity
	OnFailure Failure // a body cannot be read as JSON text
	// Threshold is the score, in percent, that a match needs; 0 stands for
	// DefaultThreshold, see MinScore.
	Threshold uint8
	// Skip are paths to strings that are left alone, besides those that never hold
	// what a person wrote (see package paths for the form).
	Skip []string
	// HoldBytes is how many bytes of an answer's stream are held back at most; 0 stands
	// for DefaultHoldBytes, see Hold.
	HoldBytes uint16
	Encodings Encodings
	// Custom are words and patterns of the user, which Automaton finds: entry i of it is
	// item i (package automaton). It is nil without them.
	Custom    []Custom
	Automaton []byte
}

// Defaults of a redaction.
const (
	DefaultThreshold = 50  // percent
	DefaultHoldBytes = 128 // bytes
)

// MinScore is the score, in percent, that a match needs.
func (r *Redaction) MinScore() uint8 {
	if r.Threshold == 0 {
		return DefaultThreshold
	}
	return r.Threshold
}

// Hold is how many bytes of an answer's stream are held back at most.
func (r *Redaction) Hold() int {
	if r.HoldBytes == 0 {
		return DefaultHoldBytes
	}
	return int(r.HoldBytes)
}

// Restores says whether an answer may get values of its request back.
func (r *Redaction) Restores() bool {
	for i := range r.Entities {
		if e := &r.Entities[i]; e.Mode == RedactToken && e.Applies(DirectionRequest) {
			return true
		}
	}
	return false
}

// Blocks says whether a value may turn an answer into an error.
func (r *Redaction) Blocks() bool {
	for i := range r.Entities {
		if e := &r.Entities[i]; e.Mode == RedactBlock && e.Applies(DirectionResponse) {
			return true
		}
	}
	for i := range r.Custom {
		if c := &r.Custom[i]; c.Mode == RedactBlock && c.Applies(DirectionResponse) {
			return true
		}
	}
	return false
}

// SameMatches says whether both find the same values and do the same with them.
func (r *Redaction) SameMatches(other *Redaction) bool {
	if !r.sameCustom(other) || len(r.Entities) != len(other.Entities) || r.MinScore() != other.MinScore() || r.OnFailure != other.OnFailure {
		return false
	}
	for i := range r.Entities {
		if r.Entities[i] != other.Entities[i] {
			return false
		}
	}
	return true
}

// sameCustom is SameMatches for words and patterns.
func (r *Redaction) sameCustom(other *Redaction) bool {
	if len(r.Custom) != len(other.Custom) || len(r.Automaton) != len(other.Automaton) {
		return false
	}
	for i := range r.Custom {
		if r.Custom[i] != other.Custom[i] {
			return false
		}
	}
	for i, b := range r.Automaton {
		if b != other.Automaton[i] {
			return false
		}
	}
	return true
}

// Custom is a list of words, or a pattern, and what replaces a match.
type Custom struct {
	Name       string        // that stands in its tag: letters, digits, - and _
	Mode       RedactionMode // none that needs more than a text: not format, not token
	Directions Direction     // bits; 0 stands for both, see Applies
	PartOfWord bool          // a match may begin and end within a word
	Basis      string        // why it may not go through, as "GDPR Art. 32"; for the record alone
}

// Applies says whether the entry is looked for in this direction.
func (c *Custom) Applies(d Direction) bool { return c.Directions == 0 || c.Directions&d != 0 }

// Encodings says what becomes of bodies in a content coding, which nobody here reads.
type Encodings uint8

// What becomes of them.
const (
	EncodingsIdentity   Encodings = iota // accept-encoding is removed from the request
	EncodingsRefuse                      // an answer in a content coding is refused
	EncodingsDecompress                  // Envoy decompresses requests before the filter sees them, and answers

	encodingsCount = iota
)

// Entity is one kind of personal data and what replaces it.
type Entity struct {
	Kind       EntityKind
	Mode       RedactionMode
	Directions Direction // bits; 0 stands for both, see Applies
	Shape      MaskShape // Mode == RedactMask
	Basis      string    // why it may not go through, as "GDPR Art. 32"; for the record alone
}

// Applies says whether the entity is looked for in this direction.
func (e *Entity) Applies(d Direction) bool { return e.Directions == 0 || e.Directions&d != 0 }

// Basis is why a kind may not go through in a direction.
func (r *Redaction) Basis(kind EntityKind, d Direction) string {
	if kind >= EntityCustom {
		return r.Custom[kind-EntityCustom].Basis
	}
	for i := range r.Entities {
		if e := &r.Entities[i]; e.Kind == kind && e.Applies(d) {
			return e.Basis
		}
	}
	return ""
}

// Direction is a set of the ways that bytes go.
type Direction uint8

// The ways.
const (
	DirectionRequest  Direction = 1 << iota // from the client to the model
	DirectionResponse                       // from the model to the client
)

// EntityKind names a detector.
type EntityKind uint8

// Entity kinds. The formats and checks stand at the detectors in package redact.
const (
	EntityPhone       EntityKind = iota // mainland China mobile number
	EntityEmail                         // RFC 5321 address with a dotted domain
	EntityResidentID                    // GB 11643 with its check digit
	EntityBankCard                      // 13 to 19 digits with a valid Luhn digit
	EntityLandline                      // mainland China number with its area code
	EntityPhoneUS                       // North American Numbering Plan
	EntityPhoneIntl                     // E.164 behind a plus sign
	EntityPassport                      // of China, Hong Kong and Macau
	EntityPermit                        // travel permits between the mainland, Hong Kong, Macau and Taiwan
	EntityPlate                         // vehicle licence plate of China
	EntityUSCC                          // unified social credit code, GB 32100
	EntityHKID                          // Hong Kong identity card
	EntityTWID                          // Taiwan identity card and resident certificate
	EntitySSN                           // US social security number
	EntityIBAN                          // ISO 13616
	EntityIP                            // IPv4 and IPv6 address
	EntityMAC                           // IEEE 802 MAC address
	EntityIMEI                          // 3GPP TS 23.003 with its Luhn digit
	EntityVIN                           // ISO 3779 with its check digit
	EntityMacauID                       // Macau resident identity card
	EntityAWSKey                        // AWS access key ID or secret
	EntityGitHubToken                   // GitHub token
	EntitySlackToken                    // Slack token
	EntityOpenAIKey                     // sk- key of OpenAI and those alike
	EntityGoogleKey                     // Google API key
	EntityJWT                           // RFC 7519 in compact form
	EntityPrivateKey                    // PEM block of a private key, RFC 7468
	EntityBearer                        // credentials behind Bearer or Basic, RFC 9110 section 11
	EntityURLPassword                   // password in a URL's userinfo, RFC 3986 section 3.2.1

	EntityKinds = iota // how many there are; at most 32, so that a uint32 holds a set
)

// EntityCustom is the kind of matches of the first entry of Custom; those of the others
// follow. No entity has one of them.
const EntityCustom EntityKind = EntityKinds

// AllKinds is how many kinds there are with those of custom entries.
const AllKinds = EntityKinds + MaxCustom

// RedactionMode is what happens to a value.
type RedactionMode uint8

// Redaction modes.
const (
	RedactMask   RedactionMode = iota // a shape is kept: 138****5678
	RedactTag                         // <PHONE>
	RedactHMAC                        // <PHONE:9f3a61c2>: the same for the same value
	RedactFormat                      // other digits and letters in the same form, never valid
	RedactDrop                        // nothing
	RedactToken                       // [PHONE_1_kdmfrt], which the answer turns back into the value
	RedactBlock                       // the request or the answer is refused
	RedactDetect                      // left as it is, and counted

	RedactionModes = iota // how many there are
)

// MaskShape is what a mask leaves of a value.
type MaskShape uint8

// Shapes.
const (
	ShapeUsual    MaskShape = iota // by kind: 138****5678, z****@example.com, **** **** **** 1111
	ShapeArticle                   // phone 138****78, resident ID ***1949***, other kinds as usual
	ShapeLastFour                  // the last four letters and digits
	ShapeFull                      // nothing

	maskShapes = iota
)
