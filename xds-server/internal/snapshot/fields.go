package snapshot

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// fieldDiff gathers where two trees differ. A tree is what encoding/json makes
// of JSON (numbers as json.Number), with hidden values as further leaves.
type fieldDiff struct {
	found []FieldChange
}

// compare looks at what is at one path on both sides; nil is nothing.
func (d *fieldDiff) compare(path string, before, after any) {
	if reflect.DeepEqual(before, after) {
		return
	}
	before, after = unfolded(before, after)
	switch b := before.(type) {
	case map[string]any:
		if a, ok := after.(map[string]any); ok && reflect.DeepEqual(b["@type"], a["@type"]) {
			d.objects(path, b, a)
			return
		}
	case []any:
		if a, ok := after.([]any); ok {
			d.lists(path, b, a)
			return
		}
	}
	d.found = append(d.found, FieldChange{Path: path, Before: shown(before), After: shown(after)})
}

func (d *fieldDiff) objects(path string, before, after map[string]any) {
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		d.compare(joined(path, key), before[key], after[key])
	}
}

func (d *fieldDiff) lists(path string, before, after []any) {
	oldNames, oldNamed := byName(before)
	newNames, newNamed := byName(after)
	if oldNamed == nil || newNamed == nil {
		d.indexed(path, before, after)
		return
	}
	for _, name := range oldNames {
		d.compare(fmt.Sprintf("%s[%q]", path, name), oldNamed[name], newNamed[name])
	}
	for _, name := range newNames {
		if _, had := oldNamed[name]; !had {
			d.compare(fmt.Sprintf("%s[%q]", path, name), nil, newNamed[name])
		}
	}
	// Order decides among routes and filters.
	oldOrder := slices.DeleteFunc(slices.Clone(oldNames), func(name string) bool { return newNamed[name] == nil })
	newOrder := slices.DeleteFunc(slices.Clone(newNames), func(name string) bool { return oldNamed[name] == nil })
	if !slices.Equal(oldOrder, newOrder) {
		d.found = append(d.found, FieldChange{Path: path + " (order)", Before: shown(oldOrder), After: shown(newOrder)})
	}
}

// indexed compares lists whose elements have no names: what both begin and end
// with is the same, what is between goes by index.
func (d *fieldDiff) indexed(path string, before, after []any) {
	first := 0
	for first < len(before) && first < len(after) && reflect.DeepEqual(before[first], after[first]) {
		first++
	}
	for len(before) > first && len(after) > first && reflect.DeepEqual(before[len(before)-1], after[len(after)-1]) {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	for i := first; i < max(len(before), len(after)); i++ {
		d.compare(fmt.Sprintf("%s[%d]", path, i), at(before, i), at(after, i))
	}
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// byName returns the elements by their names, and the names in order; nil if
// one has none, or two have one.
func byName(list []any) ([]string, map[string]any) {
	names, named := make([]string, 0, len(list)), make(map[string]any, len(list))
	for _, element := range list {
		object, _ := element.(map[string]any)
		name, _ := object["name"].(string)
		if _, twice := named[name]; twice || name == "" {
			return nil, nil
		}
		names, named[name] = append(names, name), element
	}
	return names, named
}

// unfolded replaces texts by what they hold, if they are JSON objects on both sides.
func unfolded(before, after any) (any, any) {
	b, bothTexts := before.(string)
	a, ok := after.(string)
	if !ok || !bothTexts || !strings.HasPrefix(b, "{") || !strings.HasPrefix(a, "{") {
		return before, after
	}
	oldObject, err := parsed([]byte(b))
	if err != nil {
		return before, after
	}
	newObject, err := parsed([]byte(a))
	if err != nil || reflect.DeepEqual(oldObject, newObject) { // white space differs
		return before, after
	}
	return oldObject, newObject
}

var plainKey = regexp.MustCompile(`^[A-Za-z_@][A-Za-z0-9_@-]*$`)

func joined(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return fmt.Sprintf("%s[%q]", path, key)
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

// shown is a tree as JSON, nothing for nothing.
func shown(value any) string {
	if value == nil {
		return ""
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprintf("[cannot be shown: %v]", err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}
