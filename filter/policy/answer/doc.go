// Package answer rewrites an answer while it passes: what its rules find in the
// strings is redacted, and the caller's own values come back in the place of their
// tokens. Everything else goes on byte for byte.
//
// A JSON answer is read string by string. In a stream (server-sent events, or JSON
// values a line) a text comes in pieces, one in each event, so strings are joined over
// the events: those that stand at the same place, where an item of a list is known by
// its index, are one lane, and each lane has a Redactor of its own. What that holds
// back, because it may still become a match, goes out in front of the lane's next
// string, or with what ends the lane, or in an event of its own just before that: a
// copy of the lane's last one, and where events are numbered with the next number. Strings that are complete in themselves, as names and
// titles and those of events that repeat a whole text, are read alone.
//
// An event is read when all of it is there, since what its strings belong to may stand
// behind them; a client could do nothing with a part of it either. A Rewriter holds at
// most maxEvent bytes of one. Memory that is only needed while an event is read belongs
// to a Desk, of which a worker has one, as do the lanes.
package answer

// Format is how an answer is read.
type Format uint8

// Formats.
const (
	JSON   Format = iota // one JSON value
	Text                 // text, read as one string
	Events               // server-sent events
	Lines                // a JSON value a line
)

// Problem is why an answer could not be rewritten.
type Problem uint8

// Problems.
const (
	None       Problem = iota
	Unreadable         // no JSON, or no UTF-8
	Crowded            // more texts at once, or more of one to hold back, than there is room for
	Blocked            // a value was found that a rule does not let pass at all
)

// Bounds.
const (
	// MaxLanes bounds the texts that come at once in a stream.
	MaxLanes = 128

	maxEvent    = 64 << 10 // of an event; in a longer one each string is read alone
	maxTemplate = 4 << 10  // of an event without its texts
	maxNesting  = 32       // how deep strings are told apart
	maxFields   = 512      // strings of an event
	maxRecords  = 400      // objects and lists of an event
	maxName     = 24       // longer than every name that matters
)
