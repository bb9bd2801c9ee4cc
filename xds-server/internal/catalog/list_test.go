package catalog_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

// listed is a set with a policy that takes its words from two lists.
func listed() folder {
	return folder{
		"trust.yaml": trust, "gateway.yaml": gateway, "a.yaml": modelOf("a", "v1") + "---\n" + routeOf("a", "v1"),
		"words.yaml":   resource("RedactionPolicy", "words", "{custom: [{name: A, words: [one], wordsFrom: [a.words], mode: tag}, {name: B, wordsFrom: [b.words], mode: tag}]}"),
		"a.words":      "two\nthree\n",
		"b.words":      "four\n",
		"unused.words": "\xff",
	}
}

// TestListsLastGood: a list that is wrong stays as it was, and with it nothing else; the
// policy and its lists change together.
func TestListsLastGood(t *testing.T) {
	policy := listed()["words.yaml"]
	for _, test := range []struct {
		name   string
		change folder
		held   []string
		want   folder
	}{
		{"another word", folder{"a.words": "two\nfive\n"}, nil, folder{"a.words": "two\nfive\n"}},
		{"a line that is no word", folder{"a.words": "two\na\x00b\n", "b.words": "six\n"}, []string{"list of words/a.words a.words"}, folder{"b.words": "six\n"}},
		{"no words", folder{"b.words": "# none\n"}, []string{"list of words/b.words b.words"}, nil},
		{"not there any more", folder{"b.words": ""}, []string{"list of words/b.words b.words"}, nil},
		{"not there, nor needed any more", folder{"b.words": "", "words.yaml": strings.Replace(policy, "{name: B, wordsFrom: [b.words], mode: tag}", "", 1)}, nil,
			folder{"b.words": "", "words.yaml": strings.Replace(policy, "{name: B, wordsFrom: [b.words], mode: tag}", "", 1)}},
		{"a new list that is wrong", folder{"c.words": "\xff\n", "words.yaml": strings.Replace(policy, "b.words", "c.words", 1)},
			[]string{"RedactionPolicy/words words.yaml:1", "list of words/c.words -"}, nil},
		{"too many words together", folder{"a.words": numbers(60_000), "b.words": numbers(60_000)}, []string{"list of words/b.words b.words"}, folder{"a.words": numbers(60_000)}},
		{"a list that nobody needs", folder{"unused.words": "\xff\xff"}, nil, folder{"unused.words": "\xff\xff"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			builder := catalog.NewBuilder()
			if first := builder.Build(listed().set()); len(first.Problems) > 0 {
				t.Fatal(first.Problems)
			}
			for range 2 {
				checkHeld(t, builder.Build(listed().with(test.change).set()), test.held, listed().with(test.want))
			}
		})
	}
}

// numbers are that many words, one a line.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "w%d\n", i)
	}
	return b.String()
}

// TestListsStandBesidePolicies: a name means the list of the same source and folder.
func TestListsStandBesidePolicies(t *testing.T) {
	policy := func(name, model string) string {
		return resource("RedactionPolicy", name, "{models: ["+model+"], custom: [{name: A, wordsFrom: [names.words], mode: tag}]}")
	}
	var set source.Set
	for _, d := range [][2]string{
		{"/etc/one/base.yaml", trust + "---\n" + gateway + "---\n" + modelOf("a", "v1") + "---\n" + routeOf("a", "v1") + "---\n" + modelOf("b", "v1") + "---\n" + routeOf("b", "v1")},
		{"/etc/one/names.words", "here"}, {"/etc/one/policy.yaml", policy("one", "a")},
		{"etcd:http://127.0.0.1:2379/weir/names.words", "there"}, {"etcd:http://127.0.0.1:2379/weir/policy", policy("two", "b")},
	} {
		set.Documents = append(set.Documents, source.Document{Name: d[0], Data: []byte(d[1])})
	}
	built := build(t, set)
	here, there := built.Redactions[0].Automaton, built.Redactions[1].Automaton
	if len(here) == 0 || len(there) == 0 || bytes.Equal(here, there) {
		t.Errorf("the policies have tables of %d and %d bytes, and must have two", len(here), len(there))
	}
	set.Documents = slices.DeleteFunc(set.Documents, func(d source.Document) bool { return d.Name == "/etc/one/names.words" })
	if _, problems := catalog.Build(set); len(problems) != 1 || !strings.Contains(problems[0].String(), `no list of words "/etc/one/names.words"`) {
		t.Errorf("without its list: %v", problems)
	}
}

// TestTableIsKept: a set with the same words has the same table, and it is not made anew.
func TestTableIsKept(t *testing.T) {
	builder := catalog.NewBuilder()
	before := builder.Build(listed().set()).Catalog.Redactions[0]
	for _, change := range []folder{
		{"words.yaml": strings.Replace(listed()["words.yaml"], "mode: tag}]", "mode: mask}]", 1)}, // only what is done
		{"a.words": "# the same\r\ntwo\r\n\r\nthree"},                                             // only how it is written
		{"a.words": "two\n\xff"}, // held
	} {
		after := builder.Build(listed().with(change).set()).Catalog.Redactions[0]
		if &after.Automaton[0] != &before.Automaton[0] {
			t.Errorf("with %q the table is made anew", change)
		}
	}
	if after := builder.Build(listed().with(folder{"a.words": "two"}).set()).Catalog.Redactions[0]; bytes.Equal(after.Automaton, before.Automaton) {
		t.Error("with a word less the table is the same")
	}
}
