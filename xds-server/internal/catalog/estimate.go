package catalog

import (
	"fmt"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
)

// estimate is how many tokens of a model a text is; nil: as by default, so that a
// document has one form.
func (c *checker) estimate(u *unit, written *api.TokenEstimate) *spec.Estimate {
	if written == nil {
		return nil
	}
	estimate := spec.DefaultEstimate
	for class, number := range [spec.TextClasses]*api.Decimal{
		spec.ClassWords: written.Words, spec.ClassNumbers: written.Numbers, spec.ClassMarks: written.Marks,
		spec.ClassSpaces: written.Spaces, spec.ClassPieces: written.Pieces, spec.ClassHan: written.Han,
		spec.ClassLetters: written.Letters, spec.ClassWide: written.Wide, spec.ClassEmoji: written.Emoji,
		spec.ClassMessages: written.Messages, spec.ClassRequests: written.Requests,
	} {
		milli := milli(number, int64(estimate[class]))
		if milli > spec.MaxClassMilli {
			c.at(u, fmt.Sprintf("spec.tokens.%s", spec.TextClass(class)), "a class of text is a number of tokens from 0 to 1000",
				fmt.Sprintf("the default is %s", api.FormatThousandths(int64(estimate[class]))))
			continue
		}
		estimate[class] = int32(milli)
	}
	if estimate == spec.DefaultEstimate {
		return nil
	}
	return &estimate
}
