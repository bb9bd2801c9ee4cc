package main

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// rules is what the files beside the target say.
type rules struct {
	allowed  []string // imports.txt: host functions that the module may import, "module.name"
	required []string // exports.txt: functions that the module must export
	maxSize  int      // size-budget.txt: bytes
}

// readRules reads the three files of the folder. In each, a line is one entry and `#` starts a comment.
func readRules(folder fs.FS) (rules, error) {
	allowed, err := readEntries(folder, "imports.txt")
	if err != nil {
		return rules{}, err
	}
	required, err := readEntries(folder, "exports.txt")
	if err != nil {
		return rules{}, err
	}
	budget, err := readEntries(folder, "size-budget.txt")
	if err != nil {
		return rules{}, err
	}
	if len(budget) != 1 {
		return rules{}, fmt.Errorf("size-budget.txt has %d entries, but one number of bytes is meant", len(budget))
	}
	maxSize, err := strconv.Atoi(budget[0])
	if err != nil || maxSize <= 0 {
		return rules{}, fmt.Errorf("size-budget.txt: %q is not a positive number of bytes", budget[0])
	}
	return rules{allowed: allowed, required: required, maxSize: maxSize}, nil
}

func readEntries(folder fs.FS, name string) ([]string, error) {
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		return nil, fmt.Errorf("reading a rule file: %w", err)
	}
	var entries []string
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if entry := strings.TrimSpace(line); entry != "" {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// check returns one error for each way in which the module breaks the rules, in a stable order.
func (r rules) check(m module) []error {
	var broken []error
	for _, name := range m.imports {
		if !slices.Contains(r.allowed, name) {
			broken = append(broken, fmt.Errorf("it imports %s, which imports.txt does not allow", name))
		}
	}
	for _, name := range r.required {
		if !slices.Contains(m.exports, name) {
			broken = append(broken, fmt.Errorf("it does not export %s, which exports.txt requires", name))
		}
	}
	if m.size > r.maxSize {
		broken = append(broken, fmt.Errorf("it has %d bytes, but size-budget.txt allows %d", m.size, r.maxSize))
	}
	return broken
}
