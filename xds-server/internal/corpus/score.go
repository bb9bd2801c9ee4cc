package corpus

import (
	"strings"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/findings"
)

// Score counts what was found of the values of a kind.
type Score struct {
	Values int // labels
	Hidden int // of them, those of which nothing is left
	Named  int // of these, those that were taken for their own kind
	Wrong  int // spans that hold nothing of a label, or are of another kind
}

// Recall is the share of values of which nothing is left.
func (s Score) Recall() float64 { return ratio(s.Hidden, s.Values) }

// Precision is the share of what was taken for a kind that is of it.
func (s Score) Precision() float64 { return ratio(s.Named, s.Named+s.Wrong) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

// Finder finds values with all kinds on.
type Finder struct {
	rules    *redact.Rules
	session  redact.Session
	redactor redact.Redactor
}

// NewFinder compiles the rules.
func NewFinder() *Finder {
	redaction := &spec.Redaction{}
	for k := range spec.EntityKinds {
		redaction.Entities = append(redaction.Entities, spec.Entity{Kind: spec.EntityKind(k), Mode: spec.RedactTag})
	}
	return &Finder{rules: redact.Compile(redaction, spec.DirectionRequest)}
}

// Find returns the values in the raw content of a JSON string, in order.
func (f *Finder) Find(raw string) ([]Label, error) {
	raw = findings.Plain(raw)
	var out strings.Builder
	f.session.Reset(nil, false)
	f.redactor.Reset(f.rules, &f.session, writer{&out})
	if err := f.redactor.Bytes([]byte(raw)); err != nil {
		return nil, err
	}
	if err := f.redactor.StringEnd(); err != nil {
		return nil, err
	}
	return findings.Between(raw, out.String()), nil
}

type writer struct{ *strings.Builder }

func (w writer) Write(p []byte) error {
	_, err := w.Builder.Write(p)
	return err
}

// Measure finds what is in texts and compares it with their labels. others counts, by
// kind, what was found that is no value of a label's kind.
func (f *Finder) Measure(texts []Text, others *[spec.EntityKinds]int) (score Score, missed []string, err error) {
	for _, text := range texts {
		found, err := f.Find(text.Raw)
		if err != nil {
			return score, missed, err
		}
		for _, label := range text.Labels {
			score.Values++
			if !covered(label, found) {
				missed = append(missed, text.Raw)
				continue
			}
			score.Hidden++
		}
		for _, span := range found {
			switch i := overlapping(span, text.Labels); {
			case i >= 0 && text.Labels[i].Kind == span.Kind:
				score.Named++
			case span.Kind < findings.Unknown:
				others[span.Kind]++
			}
		}
	}
	return score, missed, nil
}

// covered says whether nothing of a label is left.
func covered(label Label, found []Label) bool {
	at := label.From
	for _, span := range found {
		if span.From <= at && at < span.To {
			at = span.To
		}
	}
	return at >= label.To
}

func overlapping(span Label, labels []Label) int {
	for i, label := range labels {
		if span.From < label.To && label.From < span.To {
			return i
		}
	}
	return -1
}
