package demo

import (
	"fmt"
	"strings"
)

// ANSI styles.
const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	reset  = "\x1b[0m"
)

func (d *demo) style(style, text string) string {
	if !d.Color || text == "" {
		return text
	}
	return style + text + reset
}

// printf writes one indented line. A reader that has gone does not make an
// answer wrong, so the error is dropped.
func (d *demo) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(d.Out, "    "+format+"\n", args...)
}

func (d *demo) title(number int, text string) {
	_, _ = fmt.Fprintf(d.Out, "\n %s  %s\n", d.style(cyan+bold, fmt.Sprint(number)), d.style(bold, text))
}

// mark prints a verdict.
func (d *demo) mark(right bool, format string, args ...any) {
	sign := d.style(green, "✓")
	if !right {
		sign = d.style(red, "✗")
	}
	d.printf("%s %s", sign, fmt.Sprintf(format, args...))
}

// stars shows what was masked.
func (d *demo) stars(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		n := strings.IndexByte(text, '*')
		if n < 0 {
			n = len(text)
		}
		b.WriteString(text[:n])
		text = text[n:]
		masked := len(text) - len(strings.TrimLeft(text, "*"))
		b.WriteString(d.style(yellow, text[:masked]))
		text = text[masked:]
	}
	return b.String()
}

// bar draws a share of 1.
func (d *demo) bar(share float64) string {
	const width = 40
	full := int(share*width + 0.5)
	return d.style(cyan, strings.Repeat("█", full)) + d.style(dim, strings.Repeat("·", width-full))
}
