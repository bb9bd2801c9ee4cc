package api

// TrustDomainSpec says where identities come from; the resource's name is the trust domain.
type TrustDomainSpec struct {
	// Source is the embedded development CA or SPIRE.
	Source IdentitySource `yaml:"source"`
	// XDSServer is the SPIFFE ID that Envoys expect the xds-server to prove.
	XDSServer SPIFFEID `yaml:"xdsServer"`
	// Entries register workloads with the development CA.
	Entries []Entry `yaml:"entries,optional"`
}

// Entry gives an identity to the processes that all selectors match.
type Entry struct {
	ID        SPIFFEID   `yaml:"id"`
	Selectors []Selector `yaml:"selectors"`
}
