package supervise

import (
	"slices"
	"strings"
	"testing"
)

type collected []string

func (c *collected) Line(name string, line []byte) { *c = append(*c, name+" "+string(line)) }

// Lines are the same however the output is cut.
func TestLinesDoNotDependOnChunks(t *testing.T) {
	text := "one\n\ntwo\r\n" + strings.Repeat("x", maxLine+10) + "\nlast"
	want := []string{"p one", "p ", "p two", "p " + strings.Repeat("x", maxLine), "p last"}
	for size := range 7 {
		var got collected
		w := lineWriter{name: "p", out: &got, tail: &tail{}}
		if size == 0 {
			size = len(text)
		}
		for chunk := range slices.Chunk([]byte(text), size) {
			if n, err := w.Write(chunk); n != len(chunk) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		w.flush()
		if !slices.Equal(got, want) {
			t.Errorf("chunks of %d: %d lines differ from the %d wanted", size, len(got), len(want))
		}
	}
}

func TestTailKeepsTheLastLines(t *testing.T) {
	var kept tail
	for _, line := range strings.Fields("a b c d e f g h i j") {
		kept.add([]byte(line))
	}
	if got, want := kept.lines(), strings.Fields("c d e f g h i j"); !slices.Equal(got, want) {
		t.Errorf("tail %v, want %v", got, want)
	}
}
