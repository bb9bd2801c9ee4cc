package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// tiny is a module that imports env.proxy_log, a function without parameters and results, and exports it as "hello".
var tiny = slices.Concat(
	[]byte("\x00asm\x01\x00\x00\x00"),
	[]byte{1, 4, 1, 0x60, 0, 0}, // types: one, () -> ()
	[]byte{2, 17, 1}, []byte("\x03env\x09proxy_log"), []byte{0, 0},
	[]byte{7, 9, 1}, []byte("\x05hello"), []byte{0, 0},
)

func TestCheckNamesEveryBrokenRule(t *testing.T) {
	m, err := describe(t.Context(), tiny)
	if err != nil {
		t.Fatal(err)
	}
	size := len(tiny)
	for _, test := range []struct {
		name  string
		rules rules
		want  []string
	}{
		{"kept", rules{[]string{"env.proxy_log"}, []string{"hello"}, size}, nil},
		{"import", rules{nil, []string{"hello"}, size}, []string{"it imports env.proxy_log, which imports.txt does not allow"}},
		{"export", rules{[]string{"env.proxy_log"}, []string{"malloc"}, size}, []string{"it does not export malloc, which exports.txt requires"}},
		{"size", rules{[]string{"env.proxy_log"}, nil, size - 1}, []string{"it has 44 bytes, but size-budget.txt allows 43"}},
		{"all", rules{nil, []string{"malloc"}, 1}, []string{
			"it imports env.proxy_log, which imports.txt does not allow",
			"it does not export malloc, which exports.txt requires",
			"it has 44 bytes, but size-budget.txt allows 1",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, err := range test.rules.check(m) {
				got = append(got, err.Error())
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestReadRulesRefusesABadBudget(t *testing.T) {
	for _, budget := range []string{"", "many\n", "0\n", "1\n2\n"} {
		folder := fstest.MapFS{
			"imports.txt": {}, "exports.txt": {},
			"size-budget.txt": {Data: []byte(budget)},
		}
		if r, err := readRules(folder); err == nil {
			t.Errorf("budget %q was taken as %+v", budget, r)
		}
	}
}

func TestRunReports(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("imports.txt", "# host\nenv.proxy_log # prints\n")
	write("exports.txt", "hello\n")
	write("size-budget.txt", strconv.Itoa(len(tiny))+"\n")
	module, text := write("tiny.wasm", string(tiny)), write("text.wasm", "text")
	for _, test := range []struct {
		name string
		args []string
		exit int
		says string
	}{
		{"good", []string{"-rules", folder, module}, 0, "tiny.wasm: 44 bytes of 44 allowed, 1 imports"},
		{"not wasm", []string{"-rules", folder, text}, 1, "not a valid module"},
		{"no rules", []string{"-rules", folder + "/none", module}, 1, "imports.txt"},
		{"no module", []string{"-rules", folder, module + ".gone"}, 1, "reading the module"},
		{"no argument", nil, 2, "usage: wasmcheck"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var output bytes.Buffer
			if exit := run(t.Context(), test.args, &output, &output); exit != test.exit {
				t.Errorf("exit status %d, want %d", exit, test.exit)
			}
			if !strings.Contains(output.String(), test.says) {
				t.Errorf("%q is not in %q", test.says, output.String())
			}
		})
	}
}

// The rules that ship must be readable, whatever module they are about.
func TestShippedRulesRead(t *testing.T) {
	if _, err := readRules(os.DirFS("..")); err != nil {
		t.Error(err)
	}
}
