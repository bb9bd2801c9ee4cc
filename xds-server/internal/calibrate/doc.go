// Package calibrate fits the estimate of prompts to what models said that they cost.
//
// The filter counts a prompt by classes of text and reserves the sum of what one of
// each class costs (package spec of the policy). Its record of a request that has
// ended holds those counts and the number of tokens that the model reported. From
// many of them the least squares are one number for each class; these are
// configuration, so nothing changes until somebody writes them into a Model.
package calibrate

import "github.com/weirmesh/weir/filter/policy/tokens"

// Sample is one request whose model said what its prompt cost.
type Sample struct {
	Model     string
	Counts    tokens.Counts
	Estimated int64 // tokens that the filter took it for
	Actual    int64 // tokens that the model reported; above 0
}
