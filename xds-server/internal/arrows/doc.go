// Package arrows holds the repository to the import arrows of docs/ARCHITECTURE.md. It has tests only: they ask the go
// command what every package really imports, natively and for WebAssembly, and name each import that goes the wrong way.
package arrows
