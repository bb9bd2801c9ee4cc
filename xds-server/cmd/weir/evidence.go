package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/evidence"
)

// runEvidence is `weir evidence verify|list|rotate`.
func runEvidence(_ context.Context, i *invocation) error {
	keys := i.flags.String("keys", ".weir/xds-server/evidence/keys.json", "`file` with the secrets of the xds-server")
	words, err := i.words()
	if err != nil {
		return err
	}
	if len(words) > 0 {
		switch words[0] {
		case "verify":
			return verifyEvidence(i, *keys, words[1:])
		case "list":
			return listEvidence(i.stdout, words[1:])
		case "rotate":
			return rotateEvidence(i, *keys, words[1:])
		}
	}
	return usagef("weir evidence: say verify FILE..., list FILE... or rotate; a folder stands for its records-*.jsonl, as .weir/xds-server/evidence of weir up")
}

// evidenceFiles returns the files that words name, in the order in which they are read.
func evidenceFiles(words []string) ([]string, error) {
	var all []string
	for _, word := range words {
		info, err := os.Stat(word)
		if err != nil {
			return nil, fmt.Errorf("evidence: %w", err)
		}
		if !info.IsDir() {
			all = append(all, word)
			continue
		}
		files, err := evidence.Files(word)
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	if len(all) == 0 {
		return nil, usagef("weir evidence: name files of records, or a folder with some (STATE-DIR/evidence of the xds-server)")
	}
	return all, nil
}

func verifyEvidence(i *invocation, keys string, words []string) error {
	files, err := evidenceFiles(words)
	if err != nil {
		return err
	}
	ring, err := evidence.OpenRing(keys)
	if err != nil {
		return err
	}
	faults := 0
	report, err := evidence.Check(files, ring.Chain, func(f evidence.Fault) {
		faults++
		_, _ = fmt.Fprintln(i.stdout, f)
	})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(i.stdout, "%d records in %d files, %d chains begin, %d records are missing", report.Records, len(files), report.Chains, report.Missing)
	for _, verdict := range slices.Sorted(maps.Keys(report.Verdicts)) {
		_, _ = fmt.Fprintf(i.stdout, ", %d %s", report.Verdicts[verdict], verdict)
	}
	_, _ = fmt.Fprintln(i.stdout)
	if faults > 0 {
		return errSilent
	}
	return nil
}

// listed is what a list shows of a record.
type listed struct {
	Outcome  string `json:"outcome"`
	Model    string `json:"model"`
	Tenant   string `json:"tenant"`
	Peer     string `json:"peer"`
	Operator string `json:"operator"`
	Trace    string `json:"trace"`
	Found    []struct {
		Kind      string `json:"kind"`
		Name      string `json:"name"` // of a custom entry
		Direction string `json:"direction"`
		Mode      string `json:"mode"`
		Count     int    `json:"count"`
	} `json:"found"`
}

func (l *listed) found() string {
	text := ""
	for _, f := range l.Found {
		if f.Name != "" {
			f.Kind += "_" + f.Name
		}
		text += fmt.Sprintf("%s:%s:%s=%d ", f.Direction, f.Kind, f.Mode, f.Count)
	}
	return text
}

func listEvidence(out io.Writer, words []string) error {
	files, err := evidenceFiles(words)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TIME\tENVOY\tVERDICT\tOUTCOME\tMODEL\tTENANT\tPEER\tOPERATOR\tTRACE\tFOUND")
	for _, file := range files {
		if err := listFile(table, file); err != nil {
			return fmt.Errorf("evidence: %s: %w", file, err)
		}
	}
	return table.Flush()
}

func listFile(table io.Writer, path string) error {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer f.Close()
	return evidence.Scan(f, func(_ int, line evidence.Line) error {
		if line.Heads != nil {
			return nil
		}
		var l listed
		if line.Record != nil {
			if err := json.Unmarshal(line.Record, &l); err != nil {
				return fmt.Errorf("a record: %w", err)
			}
		}
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", line.At.Format(time.RFC3339), line.Envoy, line.Verdict,
			l.Outcome, l.Model, l.Tenant, l.Peer, l.Operator, l.Trace, l.found())
		return err
	})
}

func rotateEvidence(i *invocation, keys string, words []string) error {
	if len(words) > 0 {
		return usagef("weir evidence rotate: takes --keys alone")
	}
	number, err := evidence.Rotate(keys, rand.Reader, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(i.stdout, "the keys of number %d are used from now on; what is made of values with HMAC changes\n", number)
	return err
}
