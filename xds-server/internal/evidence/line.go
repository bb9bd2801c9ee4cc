package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Line is one line of a file: JSON. The first of a file has Heads alone.
type Line struct {
	Heads   []Head    `json:"heads,omitempty"`
	At      time.Time `json:"at,omitzero"` // when it came
	Envoy   string    `json:"envoy,omitempty"`
	Node    string    `json:"node,omitempty"` // what the Envoy calls itself
	Verdict Verdict   `json:"verdict,omitempty"`
	Missing uint64    `json:"missing,omitempty"` // records before it that never came
	Begins  bool      `json:"begins,omitempty"`  // it is the first of its chain
	Status  uint32    `json:"status,omitempty"`  // of an answer without a record
	Details string    `json:"details,omitempty"` // Envoy's response code details of it
	// Record is the record byte for byte, as its code covers it.
	Record json.RawMessage `json:"record,omitempty"`
	// Text is what is no record.
	Text string `json:"text,omitempty"`
}

// append appends the line with its line feed. The record goes in as it is: json.Marshal
// would write some of its characters otherwise.
func (l Line) append(b []byte) ([]byte, error) {
	record := l.Record
	l.Record = nil
	data, err := json.Marshal(l)
	if err != nil {
		return b, fmt.Errorf("a line of evidence: %w", err)
	}
	b = append(b, data...)
	if record != nil {
		b = b[:len(b)-1]
		if len(data) > len(`{}`) {
			b = append(b, ',')
		}
		b = append(append(append(b, `"record":`...), record...), '}')
	}
	return append(b, '\n'), nil
}

// ParseLine reads a line without its line feed.
func ParseLine(text []byte) (Line, error) {
	var l Line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Line{}, fmt.Errorf("no line of evidence: %w", err)
	}
	if d.More() {
		return Line{}, fmt.Errorf("no line of evidence: more follows behind byte %d", d.InputOffset())
	}
	return l, nil
}

// fits says whether a record can stand in a line as it is.
func fits(record []byte) bool {
	return bytes.IndexByte(record, '\n') < 0 && json.Valid(record)
}
