package redact

import (
	"math/rand/v2"
	"testing"
)

// What is known of groups as they are gathered one after the other is what each of them
// shows when it is looked at by itself.
func TestGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	const some = "0123456789abcDEF  --..:/+_()"
	rows, joined := 0, 0
	for range 20_000 {
		w := &window{}
		for n := rng.IntN(60); n > 0; n-- {
			w.add(some[rng.IntN(len(some))], w.n, w.n+1)
		}
		for i := 0; i < w.n; i += 1 + rng.IntN(3) {
			if !w.alnumAt(i) {
				continue
			}
			g := &w.group
			if i < g.at || i >= g.end {
				w.gather(i)
			}
			alone := &window{n: w.n, code: w.code}
			alone.gather(i)
			if g.end != alone.group.end || g.mark != alone.group.mark {
				t.Fatalf("unit %d of %q: %+v, alone %+v", i, w.code[:w.n], *g, alone.group)
			}
			if i != g.at {
				continue
			}
			want := w.has(i-1, isSep) && w.inRow(i)
			if got := w.rowed(i); got != want {
				t.Fatalf("unit %d of %q: in a row is %v", i, w.code[:w.n], got)
			}
			if want {
				rows++
			}
			if rng.IntN(2) == 0 {
				w.ahead()
				next := w.skipSep(g.end)
				if g.next != next || next > g.end && (g.nextDigits != w.groupEnd(next) || g.nextEnd != w.endOf(next, isDigit|isLetter)) {
					t.Fatalf("unit %d of %q: next is %+v", i, w.code[:w.n], *g)
				}
			}
			if got, want := w.joined(i), digitsAt(w, i); got != want {
				t.Fatalf("unit %d of %q: %d digits, want %d", i, w.code[:w.n], got, want)
			}
			joined += w.joined(i)
		}
	}
	if rows < 1000 || joined < 1000 {
		t.Errorf("only %d rows and %d digits", rows, joined)
	}
}

// digitsAt counts what window.joined does, one by one.
func digitsAt(w *window, i int) (n int) {
	for w.digitAt(i) {
		end := i
		for ; w.digitAt(end); end++ {
			n++
		}
		i = w.skipSep(end)
		if i == end {
			break
		}
	}
	return min(n, mostDigits)
}

// Words in ASCII, which are read byte by byte, are the same where a space is wide.
func TestPlainWords(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 34))
	pieces := []string{"phone", "Phone", "PHONE", "hostIP", "ip", "1", "22", "12345678", " ", "-", "a", "B", "passport", "E", "u0031", "H", "tel", "@", "[", "`", "{", "~", "\x7f", "\x01", "version"}
	found := 0
	for range 100_000 {
		plain := " "
		for range rng.IntN(12) {
			plain += pieces[rng.IntN(len(pieces))]
		}
		wide := "　" + plain[1:]
		most := 1 + rng.IntN(contextChars)
		if len(plain) > most+escapeBytes {
			plain, wide = plain[len(plain)-most-escapeBytes:], "　"+plain[len(plain)-most-escapeBytes+1:]
		}
		got, want := behind(plain).words(most), behind(wide).words(most)
		if got != want {
			t.Fatalf("%d characters of %q: %x, and %x where a space is wide", most, plain, got, want)
		}
		if got != 0 {
			found++
		}
	}
	if found < 1000 {
		t.Errorf("only %d have words", found)
	}
}
