// Package api holds the resource kinds of weir.dev/v1alpha1 as Go types, as
// people write them in YAML. A field without ",optional" in its tag must be
// set. What a resource means, with defaults applied and references resolved,
// is the catalog's concern.
//
// Identifiers and quantities are parsed values: one that is not the zero value
// is valid.
package api

import "fmt"

// Version is the one apiVersion that is understood.
const Version = "weir.dev/v1alpha1"

// Kinds of resources.
const (
	KindGateway         = "Gateway"
	KindModel           = "Model"
	KindModelRoute      = "ModelRoute"
	KindTokenLimit      = "TokenLimit"
	KindRedactionPolicy = "RedactionPolicy"
	KindTrustDomain     = "TrustDomain"
)

// Kinds returns all kinds.
func Kinds() []string {
	return []string{KindGateway, KindModel, KindModelRoute, KindTokenLimit, KindRedactionPolicy, KindTrustDomain}
}

// Resource is the frame of every kind: N is the type of its name, S what it says.
type Resource[N, S any] struct {
	APIVersion APIVersion  `yaml:"apiVersion"`
	Kind       string      `yaml:"kind"`
	Metadata   Metadata[N] `yaml:"metadata"`
	Spec       S           `yaml:"spec"`
}

// Metadata names a resource.
type Metadata[N any] struct {
	Name N `yaml:"name"`
}

// The kinds.
type (
	// Gateway is where Envoys listen, and which Envoys they are.
	Gateway = Resource[Name, GatewaySpec]
	// Model is a model that clients may name, and where its versions run.
	Model = Resource[Name, ModelSpec]
	// ModelRoute is how requests for one model are spread over its versions.
	ModelRoute = Resource[Name, ModelRouteSpec]
	// TokenLimit is a token budget.
	TokenLimit = Resource[Name, TokenLimitSpec]
	// RedactionPolicy says which personal data is replaced in requests.
	RedactionPolicy = Resource[Name, RedactionPolicySpec]
	// TrustDomain is where identities come from.
	TrustDomain = Resource[TrustDomainName, TrustDomainSpec]
)

// APIVersion is the resource group and version; only Version can be read.
type APIVersion struct{ text string }

// ParseString accepts Version.
func (v *APIVersion) ParseString(text string) error {
	if text != Version {
		return fmt.Errorf("version %q is not understood: write %s", text, Version)
	}
	v.text = text
	return nil
}

// String is the version as written.
func (v APIVersion) String() string { return v.text }
