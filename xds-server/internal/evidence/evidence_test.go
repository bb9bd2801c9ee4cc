package evidence

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/evidence"
)

const envoy = "spiffe://weir.test/envoy"

var start = time.Unix(1_700_000_000, 0)

func newRing(t testing.TB) (*Ring, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evidence", "keys.json")
	r, err := MakeRing(path, rand.Reader, start)
	if err != nil {
		t.Fatal(err)
	}
	return r, path
}

// records are those of a worker, under its key from the third on.
func records(t testing.TB, r *Ring, epoch uint64, n int) [][]byte {
	t.Helper()
	var c evidence.Chain
	c.Start(epoch)
	var all [][]byte
	for i := range n {
		if i == 2 {
			keys, err := r.Keys(envoy)
			if err != nil {
				t.Fatal(err)
			}
			c.SetKey(keys.Number, keys.Chain[:])
		}
		all = append(all, c.Seal(fmt.Appendf(nil, `{"outcome":"forward","bucket":%d,"name":"<&>"`, i)))
	}
	return all
}

func TestRing(t *testing.T) {
	r, path := newRing(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	one, err := r.Keys(envoy)
	if err != nil || one.Number != 1 || one.Chain == one.Values {
		t.Fatalf("%+v, %v", one, err)
	}
	if other, err := r.Keys(envoy + "-2"); err != nil || other.Chain == one.Chain || other.Values != one.Values {
		t.Errorf("another Envoy's: %+v, %v", other, err)
	}
	again, err := MakeRing(path, rand.Reader, start)
	if err != nil || !bytes.Equal(again.Chain(envoy, 1), one.Chain[:]) || !bytes.Equal(again.Values(1), one.Values[:]) {
		t.Errorf("read again: %v", err)
	}
	number, err := Rotate(path, rand.Reader, start.Add(time.Hour))
	if err != nil || number != 2 {
		t.Fatalf("rotated to %d: %v", number, err)
	}
	if err := os.Chtimes(path, start, start); err != nil { // a change within the clock's grain
		t.Fatal(err)
	}
	if two, err := r.Keys(envoy); err != nil || two.Number != 2 || two.Chain == one.Chain {
		t.Errorf("%+v, %v", two, err)
	}
	if !bytes.Equal(r.Chain(envoy, 1), one.Chain[:]) || r.Chain(envoy, 3) != nil {
		t.Error("an older key is gone, or one that never was is there")
	}
}

func TestRingRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		want string
	}{
		"readable by others": {`{"secrets":[]}`, 0o640, "chmod 600"},
		"no secret":          {`{"secrets":[]}`, 0o600, "no secret"},
		"no JSON":            {`{`, 0o600, "unexpected end"},
		"short":              {`{"secrets":[{"number":1,"secret":"AA=="}]}`, 0o600, "secret 0 is damaged"},
	} {
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenRing(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenRing(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is read")
	}
}

func TestVerifier(t *testing.T) {
	r, _ := newRing(t)
	all := records(t, r, 5, 6)
	altered := bytes.Replace(all[3], []byte("forward"), []byte("forwaRd"), 1)
	unsealedAltered := bytes.Replace(all[1], []byte("forward"), []byte("refused"), 1)
	_, covered, err := evidence.Read(unsealedAltered)
	if err != nil {
		t.Fatal(err)
	}
	code := evidence.CodeOf(nil, covered)
	madeUp := fmt.Appendf(nil, `%s,"mac":"%x"}}`, covered, code[:])
	for name, c := range map[string]struct {
		in   [][]byte
		want string
	}{
		"whole":             {all, "unsealed unsealed sealed sealed sealed sealed"},
		"one is missing":    {slices.Delete(slices.Clone(all), 3, 4), "unsealed unsealed sealed sealed+1 sealed"},
		"begin is missing":  {all[4:], "sealed+4 sealed"},
		"one comes twice":   {slices.Insert(slices.Clone(all), 4, all[3]), "unsealed unsealed sealed sealed repeated sealed sealed"},
		"out of order":      {[][]byte{all[0], all[2], all[1]}, "unsealed sealed+1 repeated"},
		"altered":           {[][]byte{all[2], altered, all[4]}, "sealed+2 forged sealed+1"},
		"unsealed made up":  {[][]byte{all[0], madeUp, all[2]}, "unsealed unsealed broken"},
		"no record":         {[][]byte{all[0], []byte("{}"), all[1]}, "unsealed malformed unsealed"},
		"an unknown key":    {[][]byte{bytes.Replace(all[2], []byte(`"key":1`), []byte(`"key":9`), 1)}, "forged"},
		"a key is taken up": {[][]byte{all[2], all[0]}, "sealed+2 repeated"},
	} {
		v := NewVerifier(r.Chain)
		var got []string
		for _, record := range c.in {
			f := v.Take(envoy, record)
			text := string(f.Verdict)
			if f.Missing > 0 {
				text += fmt.Sprintf("+%d", f.Missing)
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
	if f := NewVerifier(r.Chain).Take(envoy+"-2", all[2]); f.Verdict != Forged {
		t.Errorf("a record of another Envoy is %s", f.Verdict)
	}
}

// A worker that had a key does not lose it: records without one behind it are made up.
func TestNoWayBackToNoKey(t *testing.T) {
	r, _ := newRing(t)
	all := records(t, r, 5, 3)
	v := NewVerifier(r.Chain)
	for _, record := range all {
		v.Take(envoy, record)
	}
	last := v.Heads()[0]
	covered := fmt.Appendf(nil, `{"outcome":"forward","chain":{"epoch":"%s","seq":4,"key":0,"prev":"%s"`, last.Epoch, last.Code)
	code := evidence.CodeOf(nil, covered)
	if f := v.Take(envoy, fmt.Appendf(nil, `%s,"mac":"%x"}}`, covered, code[:])); f.Verdict != Forged {
		t.Errorf("it is %s", f.Verdict)
	}
}

// TestAnyHarmShows drops, repeats, moves or alters records at random: every time there
// is at least one finding, unless only the end is missing.
func TestAnyHarmShows(t *testing.T) {
	r, _ := newRing(t)
	all := records(t, r, 5, 12)
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for round := range 3000 {
		harmed := slices.Clone(all)
		at := random.IntN(len(harmed) - 1)
		switch round % 4 {
		case 0:
			harmed = slices.Delete(harmed, at, at+1)
		case 1:
			harmed = slices.Insert(harmed, random.IntN(len(harmed)), harmed[at])
		case 2:
			harmed[at], harmed[at+1] = harmed[at+1], harmed[at]
		case 3:
			b := bytes.Clone(harmed[at])
			b[random.IntN(len(b))] ^= 1 << random.IntN(8)
			harmed[at] = b
		}
		v, clean := NewVerifier(r.Chain), true
		for _, record := range harmed {
			f := v.Take(envoy, record)
			clean = clean && f.Verdict.Good() && f.Missing == 0
		}
		if clean {
			t.Fatalf("round %d at %d: nothing shows", round, at)
		}
	}
}

func TestVerifierForgetsTheOldest(t *testing.T) {
	v := NewVerifier(func(string, uint32) []byte { return nil })
	var c evidence.Chain
	for epoch := range uint64(maxChains + 10) {
		c.Start(epoch)
		v.Take(envoy, c.Seal([]byte(`{"a":1`)))
	}
	if len(v.chains) != maxChains || v.Seq(envoy, 9) != 0 || v.Seq(envoy, 10) != 1 {
		t.Errorf("%d chains", len(v.chains))
	}
}

// openLog opens a log of small files.
func openLog(t *testing.T, dir string, r *Ring, size int64) *Log {
	t.Helper()
	l, err := OpenLog(dir, 4, r.Chain)
	if err != nil {
		t.Fatal(err)
	}
	l.size = size
	return l
}

func check(t *testing.T, dir string, r *Ring) (Report, []string) {
	t.Helper()
	files, err := Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	var faults []string
	report, err := Check(files, r.Chain, func(f Fault) { faults = append(faults, f.String()) })
	if err != nil {
		t.Fatal(err)
	}
	return report, faults
}

// TestLog keeps records over several files and restarts, of which the oldest are removed:
// what is left verifies by itself.
func TestLog(t *testing.T) {
	r, _ := newRing(t)
	dir := filepath.Join(t.TempDir(), "evidence")
	all := records(t, r, 5, 40)
	for i := 0; i < len(all); i += 7 {
		l := openLog(t, dir, r, 1500)
		for _, record := range all[i:min(i+7, len(all))] {
			if f, err := l.Take(start, envoy, "edge", record); err != nil || !f.Verdict.Good() || f.Missing > 0 {
				t.Fatalf("%+v, %v", f, err)
			}
		}
		if l.Seq(envoy, 5) != uint64(min(i+7, len(all))) {
			t.Fatalf("at %d", l.Seq(envoy, 5))
		}
		if err := l.close(); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := Files(dir)
	report, faults := check(t, dir, r)
	if len(files) != 4 || len(faults) > 0 || report.Records < 8 || report.Records >= 40 || report.Verdicts[Sealed] != report.Records {
		t.Errorf("%d files, %+v, %v", len(files), report, faults)
	}
	harm(t, files[1])
	if _, faults := check(t, dir, r); len(faults) == 0 {
		t.Error("a line that is gone does not show")
	}
}

// harm takes a line out of the middle of a file.
func harm(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if err := os.WriteFile(path, bytes.Join(slices.Delete(lines, 2, 3), nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A crash in the middle of a line costs its record, which shows.
func TestLogAfterACrash(t *testing.T) {
	r, _ := newRing(t)
	dir := t.TempDir()
	all := records(t, r, 5, 4)
	l := openLog(t, dir, r, 1<<20)
	for _, record := range all[:3] {
		if _, err := l.Take(start, envoy, "edge", record); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	files, _ := Files(dir)
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(files[0], info.Size()-9); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir, r, 1<<20)
	if f, err := l.Take(start, envoy, "edge", all[3]); err != nil || f.Missing != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	if err := l.Miss(start, envoy, "edge", 503, "wasm_fail_stream"); err != nil {
		t.Fatal(err)
	}
	if f, err := l.Take(start, envoy, "edge", []byte("no\nrecord")); err != nil || f.Verdict != Malformed {
		t.Errorf("%+v, %v", f, err)
	}
	report, faults := check(t, dir, r)
	want := []string{":3: 1 records before 4", ":4: " + envoy + " answered 503 (wasm_fail_stream) without a record", ":5: what came from " + envoy + " is no record"}
	for i, fault := range faults {
		if len(faults) != len(want) || !strings.Contains(fault, want[i]) {
			t.Fatalf("%v", faults)
		}
	}
	if report.Missing != 1 || report.Records != 5 || report.Verdicts[Absent] != 1 || report.Verdicts[Malformed] != 1 {
		t.Errorf("%+v", report)
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"heads":[{"envoy":"e","epoch":"0000000000000005","seq":2,"key":1,"mac":"00112233445566778899aabbccddeeff"}]}`))
	f.Add([]byte(`{"at":"2026-01-02T03:04:05Z","envoy":"e","node":"n","verdict":"sealed","begins":true,"record":{"a":"<&>"}}`))
	f.Add([]byte(`{"at":"2026-01-02T03:04:05Z","envoy":"e","node":"n","verdict":"absent","status":503,"details":"x"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		line, err := ParseLine(text)
		if err != nil || line.Record != nil && !fits(line.Record) {
			return
		}
		written, err := line.append(nil)
		if err != nil {
			return // a time that JSON cannot write
		}
		again, err := ParseLine(written[:len(written)-1])
		if err != nil || !bytes.Equal(again.Record, line.Record) || again.Envoy != line.Envoy || again.Missing != line.Missing || len(again.Heads) != len(line.Heads) {
			t.Fatalf("%s is read as %+v: %v", written, again, err)
		}
		v := NewVerifier(func(string, uint32) []byte { return nil })
		_ = v.Resume(line.Heads)
		v.Take(line.Envoy, line.Record)
	})
}
