package app

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/admin"
)

// TestListsAreOfTheConfiguration changes a list of words: that is a revision, which a
// rollback takes back; and a server that starts with a list that is wrong serves the
// one before.
func TestListsAreOfTheConfiguration(t *testing.T) {
	o := newOptions(t)
	list := func(words string) { writeFile(t, filepath.Join(folderOf(o), "names.words"), words) }
	list("Neptune\n")
	write(t, o, resources+`---
apiVersion: weir.dev/v1alpha1
kind: RedactionPolicy
metadata: {name: names}
spec: {custom: [{name: NAME, wordsFrom: [names.words], mode: tag}]}
`)
	r := startApp(t, o)
	first := r.version(t)
	list("Neptune\nCharon\n")
	r.eventually(t, "changed", func(s admin.Status) bool { return s.Config.Revision == 2 })
	second := r.version(t)
	if _, listed := r.get(t, "/v1/snapshots"); second == first || !strings.Contains(listed, "names.words changed") {
		t.Fatalf("another word is version %s after %s: %s", second, first, listed)
	}
	if code, answer := r.post(t, "/v1/rollback", `{"number": 1, "reason": "a wrong name"}`); code != 200 || r.version(t) != first {
		t.Fatalf("rollback: %d %v, version %s, want %s", code, answer, r.version(t), first)
	}
	if code, answer := r.post(t, "/v1/resume", `{"reason": "mended"}`); code != 200 {
		t.Fatalf("resume: %d %v", code, answer)
	}
	r.eventually(t, "resumed", func(s admin.Status) bool { return s.Config.Versions[envoyID.String()] == second })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	list("Neptune\na\x00b\n")
	r = startApp(t, o)
	if _, body := r.get(t, "/status"); r.version(t) != second || !strings.Contains(body, "names.words") || !strings.Contains(body, "control character") {
		t.Fatalf("with a list that is wrong: version %s, want %s; %s", r.version(t), second, body)
	}
	list("Pluto\n")
	r.eventually(t, "mended", func(s admin.Status) bool {
		return len(s.Config.Problems) == 0 && s.Config.Versions[envoyID.String()] != second
	})
}
