package calibrate

import (
	"fmt"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
)

// YAML is the block for the spec of a Model, with what is to be said about it.
func (r *Result) YAML(model string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Model/%s: the mean error of %d estimates was %s, with these numbers it is %s.\n",
		model, r.Samples, percent(r.Before), percent(r.After))
	var missing []string
	for class, seen := range r.Seen {
		if !seen {
			missing = append(missing, spec.TextClass(class).String())
		}
	}
	if len(missing) > 0 {
		fmt.Fprintf(&out, "# Nothing was to be learnt of %s: keep what the Model says of them.\n", strings.Join(missing, ", "))
	}
	out.WriteString("spec:\n  tokens:\n")
	for class, milli := range r.Estimate {
		if r.Seen[class] {
			fmt.Fprintf(&out, "    %s: %s\n", spec.TextClass(class), api.FormatThousandths(int64(milli)))
		}
	}
	return out.String()
}

func percent(part float64) string { return fmt.Sprintf("%.1f%%", part*100) }
