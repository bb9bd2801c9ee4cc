// Package redact finds personal data in a stream of JSON string content and
// replaces it in place. Bytes that belong to no match go out as they came.
//
// # Model
//
// The raw bytes are read as units: one character each, which may be spelled as
// itself, as a JSON escape (\u0031, \/), as UTF-8, in full width, or
// percent-encoded (%40, %2B, %20). Every unit is folded to one byte, its code,
// and remembers its raw bytes. Characters that do not show (zero width, format
// and variation characters) belong to no unit. A run is a stretch of units
// that could be part of a match; a Redactor holds the end of the current run
// and nothing else. Detectors look at a run's codes, so that no spelling has
// to be known to any of them.
//
// # Bounds
//
// What a detector sees is bounded in units and in raw bytes, and the decision
// about a position falls when everything that it may depend on has been read.
// It never depends on how the bytes were cut into chunks, and a run of any
// length, without a break, is searched in all its places. A Redactor holds back
// at most 256 characters, and at most 1,024 bytes where characters are spelled
// as escapes. Between two characters up to 32 bytes that do not show are
// skipped; more of them end a run.
package redact
