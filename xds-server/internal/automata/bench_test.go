package automata_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/automata"
)

// syllables makes a word that begins with a capital.
func syllables(rng *rand.Rand, n int) string {
	all := strings.Fields("an ba cor de el fi gra hu in jo ka lo mi no or pa qui ra sta tu un ve wi xa yo zen ber ton ley man son ish ard eth ing ham ford mor ris ell ace low den win ter car lin")
	var b strings.Builder
	for range n {
		b.WriteString(all[rng.IntN(len(all))])
	}
	return strings.ToUpper(b.String()[:1]) + b.String()[1:]
}

// han makes a word of characters, of which the first of so many are the most common.
func han(rng *rand.Rand, n int, of float64) string {
	var b strings.Builder
	for range n {
		x := rng.Float64()
		b.WriteRune(0x4E00 + 3*rune(of*x*x))
	}
	return b.String()
}

// dictionaries are what people have long lists of.
var dictionaries = map[string]func(rng *rand.Rand) string{
	"people, Latin": func(rng *rand.Rand) string {
		return syllables(rng, 1+rng.IntN(2)) + " " + syllables(rng, 2+rng.IntN(2))
	},
	"people, Chinese": func(rng *rand.Rand) string { return han(rng, 1, 200) + han(rng, 1+rng.IntN(2), 1500) },
	"companies, Latin": func(rng *rand.Rand) string {
		return syllables(rng, 2+rng.IntN(3)) + " " + syllables(rng, 2+rng.IntN(3)) + []string{" Ltd", " Inc.", " GmbH", " Holdings"}[rng.IntN(4)]
	},
	"companies, Chinese": func(rng *rand.Rand) string {
		return han(rng, 2, 300) + han(rng, 2+rng.IntN(3), 1500) + []string{"科技", "贸易", "实业", "信息技术"}[rng.IntN(4)] + "有限公司"
	},
}

// many makes as many different words as a policy may have.
func many(word func(rng *rand.Rand) string) (words []string, bytes int) {
	rng := rand.New(rand.NewPCG(3, 4))
	seen := make(map[string]bool, automata.MaxWords)
	for len(words) < automata.MaxWords {
		if w := word(rng); !seen[w] {
			seen[w] = true
			words, bytes = append(words, w), bytes+len(w)
		}
	}
	return words, bytes
}

// BenchmarkBuild makes tables of as many words as a policy may have.
func BenchmarkBuild(b *testing.B) {
	for name, word := range dictionaries {
		b.Run(name, func(b *testing.B) {
			words, bytes := many(word)
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				table, err := automata.Build([]automata.Entry{{Words: words}})
				if err != nil {
					b.Fatal(err)
				}
				size = len(table)
			}
			b.ReportMetric(float64(bytes), "text-B")
			b.ReportMetric(float64(size), "table-B")
		})
	}
}
