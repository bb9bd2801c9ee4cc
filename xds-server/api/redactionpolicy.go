package api

// RedactionPolicySpec says which personal data is replaced in the strings of requests
// and answers.
type RedactionPolicySpec struct {
	// Models are the models whose requests and answers it reads; default: all.
	Models   []ModelRef `yaml:"models,optional"`
	Entities []Entity   `yaml:"entities,optional"`
	// Custom are words and patterns of one's own.
	Custom []Custom `yaml:"custom,optional"`
	// OnFailure is what happens to a body that cannot be read as JSON text; default closed.
	OnFailure *Failure `yaml:"onFailure,optional"`
	// Shape is what masks leave of values of entities that name none; default usual.
	Shape *MaskShape `yaml:"shape,optional"`
	// Threshold is the score, in percent, that a match needs; default 50.
	Threshold *int `yaml:"threshold,optional"`
	// Skip are paths to strings that are left alone.
	Skip []JSONPath `yaml:"skip,optional"`
	// HoldBytes is how many bytes of an answer's stream are held back at most; default 128.
	HoldBytes *int `yaml:"holdBytes,optional"`
	// Encodings is what becomes of bodies in a content coding; default identity.
	Encodings *Encodings `yaml:"encodings,optional"`
}

// Entity is one kind of personal data and what replaces it.
type Entity struct {
	Kind EntityKind    `yaml:"kind"`
	Mode RedactionMode `yaml:"mode"`
	// Directions are where it is looked for; default: requests and answers.
	Directions []Direction `yaml:"directions,optional"`
	// Shape is what a mask leaves of it; default: that of the policy.
	Shape *MaskShape `yaml:"shape,optional"`
	// Basis is why it may not go through, as "GDPR Art. 32"; for the record alone.
	Basis *Basis `yaml:"basis,optional"`
}

// Custom is a list of words, a pattern, or both, and what replaces a match.
type Custom struct {
	// Name stands in its tag.
	Name CustomName `yaml:"name"`
	// Words are found in any case, and however their characters are spelled.
	Words []string `yaml:"words,optional"`
	// WordsFrom are files of words, one a line, beside that of the policy.
	WordsFrom []ListName `yaml:"wordsFrom,optional"`
	// Pattern is a regular expression whose matches have a bound.
	Pattern *string       `yaml:"pattern,optional"`
	Mode    RedactionMode `yaml:"mode"`
	// Directions are where it is looked for; default: requests and answers.
	Directions []Direction `yaml:"directions,optional"`
	// CaseSensitive finds only what is in the same case.
	CaseSensitive bool `yaml:"caseSensitive,optional"`
	// PartOfWord finds matches within words too.
	PartOfWord bool `yaml:"partOfWord,optional"`
	// Basis is why it may not go through, as "GDPR Art. 32"; for the record alone.
	Basis *Basis `yaml:"basis,optional"`
}
