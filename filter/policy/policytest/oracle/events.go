package oracle

import (
	"fmt"
	"strings"
)

// Events returns how out differs from what may become of a stream of events or of lines of
// JSON, apart from texts: all lines come out in their order, and nothing else but copies
// of some. A stream with data that is no JSON is not compared.
func Events(in, out []byte) string {
	known := map[string]bool{"": true}
	all, ok := bones(in)
	left, _ := bones(out)
	if !ok {
		return ""
	}
	for _, line := range all {
		known[line] = true
		for len(left) > 0 && left[0] != line {
			if !known[left[0]] {
				return fmt.Sprintf("the line %q came out that did not come in", left[0])
			}
			left = left[1:]
		}
		if len(left) == 0 {
			return fmt.Sprintf("the line %q is gone", line)
		}
		left = left[1:]
	}
	for _, line := range left {
		if !known[line] {
			return fmt.Sprintf("the line %q came out that did not come in", line)
		}
	}
	return ""
}

// lineEnds are the ends of lines of a stream of events.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// bones are the lines of a stream without the texts in them, and whether all data is JSON.
func bones(stream []byte) (all []string, ok bool) {
	ok = true
	for line := range strings.SplitSeq(lineEnds.Replace(string(stream)), "\n") {
		before, data, cut := strings.Cut(line, "data:")
		if !cut || before != "" && before != "\xEF\xBB\xBF" {
			before, data = "", line
		} else if strings.IndexAny(strings.TrimLeft(data, " \t"), `{["`) != 0 {
			ok = false
		}
		all = append(all, before+bone(data))
	}
	return all, ok
}

// bone is a line without its strings that are values of JSON.
func bone(data string) string {
	if strings.IndexAny(strings.TrimLeft(data, " \t"), `{["`) != 0 {
		return data
	}
	var b strings.Builder
	for i := 0; i < len(data); i++ {
		b.WriteByte(data[i])
		if data[i] != '"' {
			continue
		}
		end := i + 1
		for end < len(data) && data[end] != '"' {
			if data[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(data))
		if next := strings.TrimLeft(data[min(end+1, len(data)):], " \t"); next != "" && next[0] == ':' {
			b.WriteString(data[i+1 : end])
		}
		if end < len(data) {
			b.WriteByte('"')
		}
		i = end
	}
	return b.String()
}
