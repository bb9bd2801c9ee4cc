// Package evidence keeps what Envoys' filters decided, as they sealed it (package
// filter/policy/evidence), and says what is missing, altered, repeated or made up.
//
// A Ring holds the secrets that Envoys' keys come from; a Verifier follows chains, and is
// pure; a Log is the files that records are kept in; a Service hands out keys and takes
// records from Envoys' access logs over gRPC.
package evidence
