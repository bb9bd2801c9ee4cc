package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// entriesFile is the form of the --identity-entries file.
type entriesFile struct {
	Entries []api.Entry `yaml:"entries"`
}

// readEntries reads the --identity-entries file; no path, no entries.
func readEntries(path string) ([]issue.Entry, []catalog.Problem) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, []catalog.Problem{{File: filepath.Base(path), Message: "read identity entries: " + err.Error(), Hint: "name another file with --identity-entries"}}
	}
	return parseEntries(filepath.Base(path), data)
}

func parseEntries(name string, data []byte) ([]issue.Entry, []catalog.Problem) {
	documents, problems := strictyaml.Parse(name, data)
	var entries []issue.Entry
	for _, doc := range documents {
		var file entriesFile
		doc.Decode(&file)
		problems = append(problems, doc.Problems()...)
		checked, wrong := catalog.Entries(doc, "entries", file.Entries)
		problems = append(problems, wrong...)
		entries = append(entries, issueEntries(checked)...)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return entries, nil
}

// ownEntry entitles this very program, run by this user, to the server's identity.
func ownEntry(id spiffeid.ID) (issue.Entry, error) {
	program, err := os.Executable()
	if err != nil {
		return issue.Entry{}, fmt.Errorf("find the path of this program: %w", err)
	}
	return issue.Entry{ID: id, Selectors: []string{"unix:uid:" + strconv.Itoa(os.Geteuid()), "unix:path:" + program}}, nil
}

// allEntries are the entries of the trust domain, of the file and our own.
func allEntries(td catalog.TrustDomain, fromFile []issue.Entry) ([]issue.Entry, error) {
	own, err := ownEntry(td.XDSServer)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]issue.Entry{own}, issueEntries(td.Entries), fromFile), nil
}

// issueEntries are entries as the issuer takes them.
func issueEntries(entries []catalog.Entry) []issue.Entry {
	all := make([]issue.Entry, len(entries))
	for i, e := range entries {
		all[i] = issue.Entry(e)
	}
	return all
}
