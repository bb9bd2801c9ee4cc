package corpus

import (
	"flag"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
)

var update = flag.Bool("update", false, "rewrite the tables in docs/REDACTION.md")

// noiseSize is how many bytes of each kind of noise are read.
const noiseSize = 1 << 20

// TestDetection finds values of every kind in every spelling, and writes down how many.
func TestDetection(t *testing.T) {
	f := NewFinder()
	var others, named [spec.EntityKinds]int
	var plain, worst [spec.EntityKinds]Score
	var by [spec.EntityKinds]string
	for k := range spec.EntityKinds {
		kind := spec.EntityKind(k)
		for i, e := range Evasions() {
			score := measure(t, f, kind, e, &others)
			named[k] += score.Named
			if i == 0 {
				plain[k] = score
			} else if score.Values > 0 && (by[k] == "" || score.Recall() < worst[k].Recall()) {
				worst[k], by[k] = score, e.Name
			}
		}
	}
	var table strings.Builder
	table.WriteString("| kind | recall | in the worst spelling | precision |\n|---|---|---|---|\n")
	for k := range spec.EntityKinds {
		spelled := fmt.Sprintf("%.3f", worst[k].Recall())
		if worst[k].Recall() < 1 {
			spelled += " (" + by[k] + ")"
		}
		precise := Score{Named: named[k], Wrong: others[k]}
		fmt.Fprintf(&table, "| %s | %.3f | %s | %.3f |\n", spec.EntityKind(k), plain[k].Recall(), spelled, precise.Precision())
	}
	compareTable(t, "how much of each kind is found", table.String())
}

// measure measures a kind in one spelling. Nothing with a check digit may be missed.
func measure(t *testing.T, f *Finder, kind spec.EntityKind, e Evasion, others *[spec.EntityKinds]int) (all Score) {
	t.Helper()
	for _, seed := range Seeds() {
		score, missed, err := f.Measure(Values(seed, kind, e, PerSeed), others)
		if err != nil {
			t.Fatal(err)
		}
		all.Values += score.Values
		all.Hidden += score.Hidden
		all.Named += score.Named
		for _, text := range missed[:min(len(missed), 3)] {
			t.Logf("%s, %s: missed in %q", kind, e.Name, text)
		}
	}
	if Checked(kind) && all.Hidden < all.Values {
		t.Errorf("%s, %s: %d of %d values are left", kind, e.Name, all.Values-all.Hidden, all.Values)
	}
	if all.Recall() < 0.99 {
		t.Errorf("%s, %s: recall is %.3f", kind, e.Name, all.Recall())
	}
	return all
}

// TestFalsePositives looks for what is not there.
func TestFalsePositives(t *testing.T) {
	f := NewFinder()
	var table strings.Builder
	table.WriteString("| text | found in each MB | as |\n|---|---|---|\n")
	for _, noise := range Noises() {
		text := noise.Make(Seeds()[0], noiseSize)
		found, err := f.Find(text)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, label := range found {
			if name := label.Kind.String(); !slices.Contains(kinds, name) {
				kinds = append(kinds, name)
				t.Logf("%s: %s in %q", noise.Name, name, text[max(label.From-20, 0):min(label.To+20, len(text))])
			}
		}
		slices.Sort(kinds)
		fmt.Fprintf(&table, "| %s | %d | %s |\n", noise.Name, int(math.Round(float64(len(found))*noiseSize/float64(len(text)))), strings.Join(kinds, ", "))
	}
	compareTable(t, "what is found where nothing is", table.String())
}

// The check digits here are right for specimens that were published.
func TestChecks(t *testing.T) {
	vin := []byte("1M8GDM9A_KP042788")
	vin[8] = '0'
	vehicle(vin)
	for _, c := range []struct{ name, got, want string }{
		{"resident ID", mod112("11010519491231002"), "X"},
		{"card", luhn("411111111111111"), "1"},
		{"USCC", mod31("91350100M000100Y4"), "3"},
		{"IBAN", mod97("GB", "WEST12345698765432"), "82"},
		{"HKID of one letter", hongKong("A", "123456"), "3"},
		{"HKID of two letters", hongKong("AB", "987654"), "3"},
		{"Taiwan", taiwan('A', "12345678"), "9"},
		{"VIN", string(vin[8]), "X"},
		{"GitHub", base62(crc32.ChecksumIEEE([]byte("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"))), "0mLq17"}, // of GitHub's announcement
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
}

// guide has the tables, each between two marks.
const guide = "../../../docs/REDACTION.md"

// compareTable compares with what the guide says, or rewrites it.
func compareTable(t *testing.T, name, table string) {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+": written by internal/corpus's test -->\n", "<!-- end -->\n"
	before, rest, found := strings.Cut(string(text), begin)
	said, after, closed := strings.Cut(rest, end)
	switch {
	case !found || !closed:
		t.Fatalf("%s has no place for the table %q", guide, name)
	case *update:
		if err := os.WriteFile(guide, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case said != table:
		t.Errorf("%s says\n%sbut it is (run the test with -update)\n%s", guide, said, table)
	}
}
