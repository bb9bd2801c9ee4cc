// Package source says where resources come from, and merges what any number of
// sources hold into complete sets of documents: bytes with a name and an origin.
//
// # Precedence
//
// Sources are given in an order. Where two define the same Kind and name, the
// later one's definition is in force; the earlier one is taken out of its
// document (its lines become empty, so that all others keep their numbers) and
// is reported as an Override. Two definitions in one source are not resolved
// here: the catalog refuses them. A document that cannot be read as YAML goes on
// overriding what it overrode while it could, so that a typing error does not
// put back what an earlier source says. Of certificates with the same file name
// the later source's is taken.
//
// # Timing
//
// Changes that come together are taken as one: a set is delivered when nothing
// has changed for 20 ms, and a change waits no longer than 1 s for that (see
// DefaultTiming). The first set is delivered when every source has been read or
// has failed, at the latest after 2 s. A source that fails keeps what it held,
// is reported, and is asked again every second; the others go on without it.
// Every 10 s all are asked again, for mounts that tell of no changes.
//
// # What is never delivered
//
// A set with half of a change: a transaction of etcd is in one set, as are all
// files behind a link that is swapped (as a mounted ConfigMap's). Plain files
// have no transactions: a file that is being written, or that has been emptied,
// counts as it was before; several that belong together should be in place
// within the 20 ms, or behind a link.
package source

// Document is one file, or what a source has instead of files, unread. It holds resources,
// or is a list of words (see IsList).
type Document struct {
	// Name tells the document from all others of a Set, and stays when the
	// content changes: a file's name, or what follows the prefix of an etcd key.
	// Where there are several sources of documents, the source's Label and a
	// slash come first.
	Name string
	// Origin is where a person finds the document, for errors: a file, or
	// "etcd:/key@revision". Empty is the Name.
	Origin string
	// Data is the content. A document that did not change has the same slice in
	// the next Set, and nobody may write into it. Content beyond the Limit of its name
	// is cut off one byte after it, so that it is refused with its origin.
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
