package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// TestWatchLists: lists of words are read and watched like resources, and with those of
// a mount they change together.
func TestWatchLists(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("a.yaml"), "1")
	write(t, at("names.words"), "one")
	wait := watch(t, file.NewFolder(dir))
	wait("a.yaml=1 names.words=one")
	write(t, at(".names.words.new"), "two")
	must(t, os.Rename(at(".names.words.new"), at("names.words")))
	wait("a.yaml=1 names.words=two")
	write(t, at("names.words"), "")
	wait("a.yaml=1 names.words=two ! names.words is empty, and was not: it counts as being written; delete it if nothing of it is to stay")
	must(t, os.Remove(at("names.words")))
	wait("a.yaml=1")
}

func TestWatchListsOfMount(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	place := func(generation string) {
		must(t, os.Mkdir(at(".."+generation), 0o700))
		write(t, at(".."+generation+"/a.yaml"), generation)
		write(t, at(".."+generation+"/names.words"), generation)
		must(t, os.Symlink(".."+generation, at("..data_tmp")))
		must(t, os.Rename(at("..data_tmp"), at("..data")))
	}
	place("1")
	must(t, os.Symlink("..data/a.yaml", at("a.yaml")))
	must(t, os.Symlink("..data/names.words", at("names.words")))
	wait := watchEach(t, file.NewFolder(dir), func(u source.Update) {
		if got := describe(u); got != "" && got != "a.yaml=1 names.words=1" && got != "a.yaml=2 names.words=2" {
			t.Errorf("half of a change is delivered: %s", got)
		}
	})
	wait("a.yaml=1 names.words=1")
	place("2")
	wait("a.yaml=2 names.words=2")
}

// TestListsStayInTheFolder: a list that is a link to elsewhere is not read, and what it
// held before stays.
func TestListsStayInTheFolder(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	secret := filepath.Join(elsewhere, "secret")
	write(t, secret, "secret")
	write(t, at("names.words"), "one")
	wait := watch(t, file.NewFolder(dir))
	wait("names.words=one")
	const refused = " ! names.words: a list of words may be no link that leads out of its folder, or begins at the root: put the file itself there"
	must(t, os.Symlink(secret, at(".link")))
	must(t, os.Rename(at(".link"), at("names.words")))
	wait("names.words=one" + refused)
	must(t, os.Remove(at("names.words")))
	wait("")
	must(t, os.Symlink("../"+filepath.Base(elsewhere)+"/secret", at("names.words")))
	wait(strings.TrimPrefix(refused, " "))
	must(t, os.Remove(at("names.words")))
	wait("")
	must(t, os.Symlink(secret, at("names.words")))
	wait(strings.TrimPrefix(refused, " "))
	write(t, at(".here"), "two")
	must(t, os.Remove(at("names.words")))
	must(t, os.Symlink(".here", at("names.words")))
	wait("names.words=two")
}

// TestLargeList: a list may be longer than a file of resources, up to its own limit.
func TestLargeList(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "names.words"), strings.Repeat("word\n", 300_000))
	write(t, filepath.Join(dir, "more.words"), strings.Repeat("word\n", source.MaxListBytes/5+10))
	reading, err := file.NewFolder(dir).Read(t.Context())
	if err != nil || len(reading.Documents) != 2 {
		t.Fatalf("%+v, %v", reading, err)
	}
	if more, names := len(reading.Documents[0].Data), len(reading.Documents[1].Data); more != source.MaxListBytes+1 || names != 1_500_000 {
		t.Errorf("lists of %d and %d bytes", more, names)
	}
}
