// Package source says what a source of resources delivers: a complete set of
// documents, as bytes with a name and an origin.
package source

// Document is one file, or what a source has instead of files, unread.
type Document struct {
	// Name tells the document from all others of a Set, and stays when the
	// content changes: a file's name, or what follows the prefix of an etcd key.
	// Where there are several sources, the source's name comes first.
	Name string
	// Origin is where a person finds the document, for errors: a file, or
	// "etcd:/key@revision". Empty is the Name.
	Origin string
	// Data is the content.
	Data []byte
}

// Where is the origin of the document, or its name where none was given.
func (d Document) Where() string {
	if d.Origin == "" {
		return d.Name
	}
	return d.Origin
}

// Set is everything that the sources hold at one time.
type Set struct {
	// Documents are in the order in which the sources were given, and within a
	// source by name. No two have the same Name.
	Documents []Document
	// Certificates are the files of the certificates folder by file name:
	// certificate chains and private keys, in PEM. They must not be logged.
	Certificates map[string][]byte
}
