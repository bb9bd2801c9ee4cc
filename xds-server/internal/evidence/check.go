package evidence

import (
	"fmt"
	"io"
	"os"
)

// Fault is one thing that is wrong with kept evidence.
type Fault struct {
	File    string
	Line    int
	Problem string
}

// String returns file:line: problem.
func (f Fault) String() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Problem) }

// Report is what a Check found.
type Report struct {
	Records  int             // of any verdict
	Verdicts map[Verdict]int // as verified now
	Missing  uint64          // records that are not there
	Chains   int             // that begin in the files
}

// Check verifies files anew, the oldest first. The heads with which the first begins
// are taken for true, as far as its records follow them; those of the next ones have to
// be what the files before led to. fault is told of everything that is wrong.
func Check(paths []string, key func(envoy string, number uint32) []byte, fault func(Fault)) (Report, error) {
	r := Report{Verdicts: map[Verdict]int{}}
	v := NewVerifier(key)
	for _, path := range paths {
		if err := r.file(path, v, fault); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *Report) file(path string, v *Verifier, fault func(Fault)) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	defer f.Close()
	if err := r.lines(f, path, v, fault); err != nil {
		return fmt.Errorf("evidence: %s: %w", path, err)
	}
	return nil
}

func (r *Report) lines(f io.Reader, path string, v *Verifier, fault func(Fault)) error {
	return Scan(f, func(number int, line Line) error {
		told := func(format string, args ...any) { fault(Fault{path, number, fmt.Sprintf(format, args...)}) }
		if line.Heads != nil {
			if err := v.Resume(line.Heads); err != nil {
				told("%v", err)
			}
			return nil
		}
		r.Records++
		if line.Record == nil {
			r.Verdicts[line.Verdict]++
			told("%s", line.without())
			return nil
		}
		found := v.Take(line.Envoy, line.Record)
		r.Verdicts[found.Verdict]++
		r.Missing += found.Missing
		if found.Begins {
			r.Chains++
		}
		if found.Missing > 0 {
			told("%d records before %d of the chain %016x of %s are missing", found.Missing, found.Link.Seq, found.Link.Epoch, line.Envoy)
		}
		if !found.Verdict.Good() {
			told("record %d of the chain %016x of %s is %s", found.Link.Seq, found.Link.Epoch, line.Envoy, found.Verdict)
		}
		if found.Verdict != line.Verdict {
			told("the record was %s when it came and is %s now", line.Verdict, found.Verdict)
		}
		return nil
	})
}

// without says what a line without a record tells.
func (l *Line) without() string {
	if l.Verdict == Absent {
		return fmt.Sprintf("%s answered %d (%s) without a record", l.Envoy, l.Status, l.Details)
	}
	return fmt.Sprintf("what came from %s is no record", l.Envoy)
}
