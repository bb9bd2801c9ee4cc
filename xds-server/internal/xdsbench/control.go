package xdsbench

import "time"

// hello is the first line that a server process writes.
type hello struct {
	Address   string     `json:"address"` // of ADS
	Resources [kinds]int `json:"resources"`
}

// order is a line that a server process reads: changes to make, or with Count 0
// a report of the streams.
type order struct {
	What    string        `json:"what"`
	First   int           `json:"first"`   // the first change is of this model; each later one of the next that fits
	Step    int           `json:"step"`    // of the weights
	Count   int           `json:"count"`   // changes
	Every   time.Duration `json:"every"`   // from one to the next; 0: each when the one before is everywhere
	Clients int           `json:"clients"` // that must acknowledge
	Limit   time.Duration `json:"limit"`   // for one change; what takes longer counts as late
	Budget  time.Duration `json:"budget"`  // for making all changes; those at a rate that are not made then count as late
}

// outcome is the line that a server process answers with.
type outcome struct {
	Error    string          `json:"error,omitempty"`
	Took     []time.Duration `json:"took,omitempty"`     // from being due to the last ACK, of each change that got there
	Accepted []time.Duration `json:"accepted,omitempty"` // the part of it until the server had taken the change
	Late     int             `json:"late,omitempty"`     // changes that took longer than the limit
	Refused  int             `json:"refused,omitempty"`  // changes that a client refused
	Streams  []streamReport  `json:"streams,omitempty"`
}
