package oracle

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// LikeEvents says whether an answer begins like a stream of events, whatever its type.
func LikeEvents(p []byte) bool {
	for _, name := range []string{"data:", "event:", "id:", "retry:", ":"} {
		if bytes.HasPrefix(p, []byte(name)) {
			return true
		}
	}
	return false
}

// Events returns how out differs from what may become of a stream of events or of lines of
// JSON, apart from texts: all lines come out in their order, and nothing else but copies
// of some. What is neither data nor a field of the protocol is redacted line by line, the
// latter, too, where the stream is only guessed to be one. A stream with data that is no
// JSON is not compared.
func (o *Oracle) Events(in, out []byte, how Stream) string {
	known := map[string]bool{"": true, ":": true}
	all, ok := bones(in, how, func(line string) string {
		if how == Said && fieldLine.MatchString(line) {
			return line
		}
		return string(o.String("", []byte(line)))
	})
	left, _ := bones(out, how, func(line string) string { return line })
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

// Stream is how a stream came to be read as one.
type Stream uint8

// Streams.
const (
	Said    Stream = iota // its type says that it is one of events
	Guessed               // it begins like one
	Lines                 // its type says that it is one of lines of JSON
)

// fieldLine is a line of an event that is left alone.
var fieldLine = regexp.MustCompile(`^(event|id|retry):`)

// bones are the lines of a stream without the texts in them, and whether all data is JSON;
// other says what becomes of a line without.
func bones(stream []byte, how Stream, other func(string) string) (all []string, ok bool) {
	ok = true
	for line := range strings.SplitSeq(lineEnds.Replace(strings.TrimPrefix(string(stream), "\xEF\xBB\xBF")), "\n") {
		data, cut := strings.CutPrefix(line, "data:")
		switch {
		case strings.IndexAny(strings.TrimLeft(data, " \t"), `{["`) == 0 && (cut || how == Lines):
			all = append(all, bone(data))
		case cut || how == Lines && line != "":
			ok = false
		default:
			all = append(all, other(line))
		}
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
