package measure

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/automata"
)

// Corpus writes what measurements by other means need into a directory: the policy and
// the bodies of Bench (policy.json, clean.json, personal.json), the texts that redactors
// are measured on, with texts.json about them, and tables of words, with words.json.
func Corpus(dir string) error {
	files := map[string][]byte{
		"policy.json":   spec.Encode(policy(spec.OverflowRefuse, false)),
		"clean.json":    clean(),
		"personal.json": withPersonal(1024),
		"calls.wasm":    callingModule(),
	}
	if err := addTexts(files); err != nil {
		return err
	}
	if err := addWords(files); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return fmt.Errorf("write the corpus: %w", err)
		}
	}
	return nil
}

// addTexts adds texts of 64 KB, of which that of chat has 1 MB.
func addTexts(files map[string][]byte) error {
	type entry struct {
		Name    string `json:"name"`
		File    string `json:"file"`
		Hostile bool   `json:"hostile"`
	}
	var index []entry
	for i, t := range policytest.Texts() {
		e, size := entry{t.Name, fmt.Sprintf("text%d", i), t.Hostile}, 64<<10
		if i == 0 {
			size = 1 << 20
		}
		index = append(index, e)
		files[e.File] = t.Bytes(size)
	}
	return addIndex(files, "texts.json", index)
}

// addWords adds tables of words and patterns, each with a text that costs as much as can
// be.
func addWords(files map[string][]byte) error {
	type entry struct {
		Name  string `json:"name"`
		Table string `json:"table"`
		File  string `json:"file"`
	}
	var index []entry
	for i, w := range hostileWords {
		table, err := automata.Build([]automata.Entry{w.entry})
		if err != nil {
			return fmt.Errorf("make the table %q: %w", w.name, err)
		}
		e := entry{w.name, fmt.Sprintf("table%d", i), fmt.Sprintf("words%d", i)}
		index = append(index, e)
		files[e.Table] = table
		files[e.File] = policytest.Text{Unit: w.text}.Bytes(64 << 10)
	}
	return addIndex(files, "words.json", index)
}

// hostileWords are words and patterns with text in which much begins like a match.
var hostileWords = []struct {
	name  string
	entry automata.Entry
	text  string
}{
	{"all but the last letter", automata.Entry{Words: []string{strings.Repeat("a", 63) + "b"}}, "a"},
	{"the same in Chinese", automata.Entry{Words: []string{strings.Repeat("海", 63) + "王"}}, "海"},
	{"common prefixes", automata.Entry{Words: prefixes()}, strings.Repeat("ab", 31) + "c"},
	{"repeated choice", automata.Entry{Pattern: "(?:a|a){1,63}b"}, "a"},
	{"classes", automata.Entry{Pattern: "[a-z]{1,63}[0-9]"}, "quickbrownfox"},
}

// prefixes are words that begin alike for as long as they can.
func prefixes() (words []string) {
	for i := range 32 {
		words = append(words, strings.Repeat("ab", i)+"d")
	}
	return words
}

// addIndex adds a file that says what the others are.
func addIndex(files map[string][]byte, name string, index any) error {
	b, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	files[name] = b
	return nil
}
