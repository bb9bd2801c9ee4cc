package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	policy "github.com/weirmesh/weir/filter/policy/evidence"
	"github.com/weirmesh/weir/xds-server/internal/evidence"
)

// keptEvidence is a folder with the records of one worker.
func keptEvidence(t *testing.T) (dir, keys string) {
	t.Helper()
	dir = t.TempDir()
	keys = filepath.Join(dir, "keys.json")
	ring, err := evidence.MakeRing(keys, rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := evidence.OpenLog(dir, 4, ring.Chain)
	if err != nil {
		t.Fatal(err)
	}
	const envoy = "spiffe://weir.test/envoy"
	own, err := ring.Keys(envoy)
	if err != nil {
		t.Fatal(err)
	}
	var c policy.Chain
	c.Start(9)
	c.SetKey(own.Number, own.Chain[:])
	for range 5 {
		record := c.Seal([]byte(`{"outcome":"forward","model":"gpt","found":[{"kind":"phone","direction":"request","mode":"mask","count":2}]`))
		if _, err := kept.Take(time.Now(), envoy, "edge", record); err != nil {
			t.Fatal(err)
		}
	}
	return dir, keys
}

func runWeir(args ...string) (status int, out string) {
	var b bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(""), &b, &b)
	return status, b.String()
}

func TestEvidence(t *testing.T) {
	dir, keys := keptEvidence(t)
	if status, out := runWeir("evidence", "--keys", keys, "verify", dir); status != exitOK || !strings.Contains(out, "5 records in 1 files, 1 chains begin, 0 records are missing, 5 sealed") {
		t.Errorf("%d: %s", status, out)
	}
	if status, out := runWeir("evidence", "list", dir); status != exitOK || strings.Count(out, "request:phone:mask=2") != 5 || !strings.Contains(out, "gpt") {
		t.Errorf("%d: %s", status, out)
	}
	if status, out := runWeir("evidence", "rotate", "--keys", keys); status != exitOK || !strings.Contains(out, "number 2") {
		t.Errorf("%d: %s", status, out)
	}
	file := filepath.Join(dir, "records-000001.jsonl")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(data, []byte(`"gpt"`), []byte(`"gpu"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out := runWeir("evidence", "--keys", keys, "verify", file); status != exitWrong || !strings.Contains(out, file+":1: record 1 of the chain 0000000000000009 of spiffe://weir.test/envoy is forged") {
		t.Errorf("%d: %s", status, out)
	}
	for _, args := range []string{"evidence", "evidence verify", "evidence look", "evidence rotate x"} {
		if status, out := runWeir(strings.Fields(args)...); status != exitUsage {
			t.Errorf("%s: %d: %s", args, status, out)
		}
	}
}
