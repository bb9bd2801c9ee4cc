package strictyaml

import (
	"slices"
	"strings"
)

// maxListed is how many known words a hint lists at most.
const maxListed = 20

// DidYouMean is a hint that names the known word nearest to word, or lists all
// known words, if they are few, when none is near. It is empty when none is known.
func DidYouMean(word string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	best, distance := "", len(word)/3+2 // more edits than this is another word
	for _, candidate := range known {
		if apart := len(word) - len(candidate); max(apart, -apart) >= distance {
			continue // so many letters have to come or go
		}
		if d := editDistance(strings.ToLower(word), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	if best != "" {
		return `did you mean "` + best + `"?`
	}
	if len(known) > maxListed {
		return ""
	}
	return "known: " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
