package calibrate

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// record is what matters here of the filter's record of a request.
type record struct {
	Model        string           `json:"model"`
	PromptTokens int64            `json:"promptTokens"`
	Counts       map[string]int64 `json:"counts"`
	Settled      struct {
		SaidInputTokens int64 `json:"saidInputTokens"`
	} `json:"settled"`
}

// maxLine is longer than any line of an access log that holds a record.
const maxLine = 1 << 20

// Read reads lines of an access log. A line may be the filter's record itself, or have
// it in itself as it is or as a JSON string. Lines without a record, and those of
// requests that nothing can be learnt from, are counted and left out; a record that is
// broken is an error with its line.
func Read(from io.Reader) (samples []Sample, others int, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		text, found := find(lines.Text())
		if !found {
			others++
			continue
		}
		sample, usable, err := parse(text)
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		if !usable {
			others++
			continue
		}
		samples = append(samples, sample)
	}
	if err := lines.Err(); err != nil {
		return nil, 0, fmt.Errorf("read the log: %w", err)
	}
	return samples, others, nil
}

// head is how every record begins.
const head = `{"outcome":`

// find returns the text of a line from the record on.
func find(line string) (text string, found bool) {
	if at := strings.Index(line, head); at >= 0 {
		return line[at:], true
	}
	const quote = `"`
	escaped := strings.ReplaceAll(head, quote, `\"`)
	at := strings.Index(line, quote+escaped)
	if at < 0 {
		return "", false
	}
	var inside string
	if json.NewDecoder(strings.NewReader(line[at:])).Decode(&inside) != nil {
		return escaped, true // not the JSON that it looks like: parse says so
	}
	return inside, true
}

// parse makes a sample of the record that text begins with. Without counts, or without
// a number from the model, there is nothing to learn.
func parse(text string) (sample Sample, usable bool, err error) {
	var r record
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&r); err != nil {
		return sample, false, fmt.Errorf("the filter's record is no JSON, was the line cut?: %w", err)
	}
	sample = Sample{Model: r.Model, Estimated: r.PromptTokens, Actual: r.Settled.SaidInputTokens}
	if len(r.Counts) == 0 || sample.Actual <= 0 {
		return sample, false, nil
	}
	for name, n := range r.Counts {
		class, known := classes[name]
		if !known || n < 0 {
			return sample, false, fmt.Errorf("the record counts %d %q, which is no class of text: it is of another version of the filter", n, name)
		}
		sample.Counts[class] = n
	}
	if sample.Model == "" {
		return sample, false, errors.New("the record names no model")
	}
	return sample, true, nil
}

// classes are the classes of text by name.
var classes = func() map[string]spec.TextClass {
	all := make(map[string]spec.TextClass)
	for class := range spec.TextClasses {
		all[class.String()] = class
	}
	return all
}()
