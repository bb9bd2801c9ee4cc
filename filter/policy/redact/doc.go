// Package redact finds personal data in a stream of JSON string content and
// replaces it in place. Bytes that belong to no match go out as they came.
//
// # Model
//
// The raw bytes are read as units: one character each, which may be spelled as
// itself, as a JSON escape (\u0031, \/), as an escape of JSON in a JSON string
// (\\u0031), as UTF-8, in full width, as a decimal digit of any script, or
// percent-encoded (%40, %2B, %20). Every unit is folded to one byte, its code, and
// remembers its raw bytes. Characters that do not show (zero width, format and
// variation characters) belong to no unit. A run is a stretch of units that could
// be part of a match: letters, digits, some signs, and up to three separators in a
// row between digits or upper-case letters. A Redactor holds the end of the current
// run and nothing else. Detectors look at a run's codes, so that no spelling has to
// be known to any of them.
//
// A search skips what can hold no match: it looks for numbers that are long enough,
// for '@', and for a rare byte of each literal with which a value begins, and reads
// units only around those. It may stop at too much, never at too little: what is
// found does not depend on it.
//
// # Choice
//
// A detector says how certain the form of a match is, in percent; 100 stands for a
// check that holds. A context word in the 30 characters before it, or in the name
// of the key whose value the string is, adds 40, a word that speaks against it takes
// 40 away, and what is below the redaction's threshold is no match. Of matches that
// overlap a certain one wins, then the one that begins first, then the longest, then
// the more certain one, then the order of the table of detectors.
//
// # Bounds
//
// What a detector sees is bounded in units and in raw bytes, and the decision
// about a position falls when everything that it may depend on has been read.
// It never depends on how the bytes were cut into chunks, and a run of any
// length, without a break, is searched in all its places. A Redactor holds back
// at most 256 characters, and at most 1,024 bytes where characters are spelled
// as escapes. Between two characters up to 32 bytes that do not show are
// skipped; more of them end a run. A value that is longer than 160 characters is
// replaced by its beginning, and the rest of it is swallowed to its end.
//
// Time is linear in the text, whatever stands in it.
package redact
