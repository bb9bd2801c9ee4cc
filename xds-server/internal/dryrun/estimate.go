package dryrun

import (
	"fmt"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// TextCounts is how much of each class of text a prompt has, by the class's name.
type TextCounts map[string]int64

// estimateOf is how many tokens of a model one of each class is.
func estimateOf(c *catalog.Catalog, name string) spec.Estimate {
	if model := c.Model(name); model != nil && model.Estimate != nil {
		return *model.Estimate
	}
	return spec.DefaultEstimate
}

// formatEstimate says what the number of prompt tokens rests on.
func (e *Explanation) formatEstimate(t *table) {
	var parts []string
	for class, tokens := range e.Estimate {
		name := spec.TextClass(class).String()
		if n := e.Record.Counts[name]; n > 0 && tokens > 0 {
			parts = append(parts, fmt.Sprintf("%d %s x %s", n, name, api.FormatThousandths(int64(tokens))))
		}
	}
	if len(parts) > 0 {
		t.row("estimate", fmt.Sprintf("%s = %d prompt tokens", strings.Join(parts, " + "), e.Record.PromptTokens))
	}
}
