package api

// TrustDomainSpec says where identities come from; the resource's name is the trust domain.
type TrustDomainSpec struct {
	// Source is the embedded development CA or SPIRE.
	Source IdentitySource `yaml:"source"`
	// XDSServer is the SPIFFE ID that Envoys expect the xds-server to prove.
	XDSServer SPIFFEID `yaml:"xdsServer"`
	// Entries register workloads with the development CA.
	Entries []Entry `yaml:"entries,optional"`
	// Operators may use the admin API over mutual TLS; default: nobody may.
	Operators *Operators `yaml:"operators,optional"`
}

// Operators are the SPIFFE IDs of people and programs that look after the mesh.
type Operators struct {
	// Read may see nodes, resources, snapshots and status.
	Read []SPIFFEID `yaml:"read,optional"`
	// Write may also roll back and resume.
	Write []SPIFFEID `yaml:"write,optional"`
}

// Entry gives an identity to the processes that all selectors match.
type Entry struct {
	ID        SPIFFEID   `yaml:"id"`
	Selectors []Selector `yaml:"selectors"`
}
