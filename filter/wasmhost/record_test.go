package wasmhost

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// recordTraces sends every scenario through a real Envoy and writes what it and
// the filter said to each other.
func recordTraces(t *testing.T) {
	t.Helper()
	envoy := startEnvoy(t)
	for _, sc := range scenarios {
		envoy.send(t, sc)
	}
	streams := parseLog(t, envoy.stop())
	if len(streams) != len(scenarios) {
		t.Fatalf("Envoy logged %d streams, sent were %d", len(streams), len(scenarios))
	}
	for i, sc := range scenarios {
		var b bytes.Buffer
		for _, c := range renumber(streams[i]) {
			fmt.Fprintln(&b, c)
		}
		if err := os.WriteFile(tracePath(sc.name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// logLine is one line of Envoy's wasm trace log; group 1 is the direction, 2
// the function, 3 its arguments or 4 its result.
var logLine = regexp.MustCompile(`\[(host->vm|host<-vm|vm->host|vm<-host)\] (?:\w+\.)?(\w+)(?:\((.*)\)| return: (\S+))`)

// parseLog splits the calls of streams, in the order of their creation. Calls of
// root contexts, and of the allocator, are left out.
func parseLog(t *testing.T, log string) [][]Call {
	t.Helper()
	var streams [][]Call
	index := map[uint64]int{} // stream by context id
	var open []*Call          // calls that have not returned
	stream := -1              // stream whose callback runs
	for _, m := range logLine.FindAllStringSubmatch(log, -1) {
		direction, name := m[1], m[2]
		if name == "malloc" {
			continue
		}
		switch direction {
		case "host->vm":
			c := Call{Callback: true, Name: name, Args: numbers(t, m[3])}
			stream = -1
			if name == "proxy_on_context_create" && c.Args[1] != 0 {
				index[c.Args[0]] = len(streams)
				streams = append(streams, nil)
			}
			if i, ok := index[first(c.Args)]; ok && name != "proxy_on_vm_start" && name != "proxy_on_configure" {
				stream = i
			}
			open = append(open, note(streams, stream, c))
		case "vm->host":
			open = append(open, note(streams, stream, Call{Name: name, Args: comparableArgs(t, name, numbers(t, m[3]))}))
		default:
			c := open[len(open)-1]
			open = open[:len(open)-1]
			if m[4] != "void" {
				c.Result = uint32(numbers(t, m[4])[0])
			}
		}
	}
	return streams
}

// note keeps a call of a stream and returns its place; calls of root contexts
// go to a place that nobody reads. No call of a stream encloses another of it
// but its host calls, so a place stays where it is until its result arrived.
func note(streams [][]Call, stream int, c Call) *Call {
	if stream < 0 {
		return &c
	}
	if cap(streams[stream]) == 0 {
		streams[stream] = make([]Call, 0, 1<<14)
	}
	streams[stream] = append(streams[stream], c)
	return &streams[stream][len(streams[stream])-1]
}

func first(args []uint64) uint64 {
	if len(args) == 0 {
		return 0
	}
	return args[0]
}

func comparableArgs(t *testing.T, name string, args []uint64) []uint64 {
	t.Helper()
	for i := range hostFunctions {
		if hostFunctions[i].name == name {
			return hostFunctions[i].comparable(args)
		}
	}
	t.Fatalf("the filter called %s, which this host does not offer", name)
	return nil
}

func numbers(t *testing.T, list string) []uint64 {
	t.Helper()
	var out []uint64
	for _, s := range strings.Split(list, ", ") {
		if s == "" {
			continue
		}
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("number in Envoy's log: %v", err)
		}
		out = append(out, n)
	}
	return out
}
