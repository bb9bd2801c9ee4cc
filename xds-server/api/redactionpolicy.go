package api

// RedactionPolicySpec says which personal data is replaced in the strings of requests.
type RedactionPolicySpec struct {
	// Models are the models whose requests it reads; default: all.
	Models   []ModelRef `yaml:"models,optional"`
	Entities []Entity   `yaml:"entities"`
	// OnFailure is what happens to a body that cannot be read as JSON text; default closed.
	OnFailure *Failure `yaml:"onFailure,optional"`
}

// Entity is one kind of personal data and what replaces it.
type Entity struct {
	Kind EntityKind    `yaml:"kind"`
	Mode RedactionMode `yaml:"mode"`
}
