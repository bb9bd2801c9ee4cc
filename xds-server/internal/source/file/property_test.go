package file_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// TestNewest: whatever is written, renamed, linked and removed, what the folder
// holds at last is delivered.
func TestNewest(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	wait := watch(t, file.NewFolder(dir))
	random, model := rand.New(rand.NewPCG(5, 6)), make(map[string]string)
	for round := range 40 {
		for step := range random.IntN(12) {
			name, content := fmt.Sprintf("%d.yaml", random.IntN(5)), fmt.Sprintf("%d-%d", round, step)
			path := filepath.Join(dir, name)
			switch random.IntN(5) {
			case 0:
				if err := os.Remove(path); err == nil {
					delete(model, name)
				}
			case 1: // written beside, renamed over
				write(t, path+".tmp", content)
				must(t, os.Rename(path+".tmp", path))
				model[name] = content
			case 2: // a link that leads outside
				target := filepath.Join(elsewhere, content)
				write(t, target, content)
				_ = os.Remove(path)
				must(t, os.Symlink(target, path))
				model[name] = content
			case 3: // renamed to another name
				other := fmt.Sprintf("%d.yaml", random.IntN(5))
				if err := os.Rename(path, filepath.Join(dir, other)); err == nil && other != name {
					model[other] = model[name]
					delete(model, name)
				}
			default: // written in place, which may be through a link
				write(t, path, content)
				model[name] = content
			}
		}
		write(t, filepath.Join(dir, "round.yaml"), fmt.Sprint(round))
		model["round.yaml"] = fmt.Sprint(round)
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(model)) {
			parts = append(parts, name+"="+model[name])
		}
		wait(strings.Join(parts, " "))
	}
}

// TestNeverHalf: files behind a link that is swapped are of one generation,
// however often and in whatever way it is.
func TestNeverHalf(t *testing.T) {
	for _, test := range []struct {
		name  string
		first func(t *testing.T, root, generation string) (folder string)
		swap  func(t *testing.T, root, generation string)
	}{
		{
			"mount",
			func(t *testing.T, root, generation string) string {
				must(t, os.Symlink(generation, filepath.Join(root, "..data")))
				for i := range 5 {
					must(t, os.Symlink(fmt.Sprintf("..data/%d.yaml", i), filepath.Join(root, fmt.Sprintf("%d.yaml", i))))
				}
				return root
			},
			func(t *testing.T, root, generation string) {
				must(t, os.Symlink(generation, filepath.Join(root, "..next")))
				must(t, os.Rename(filepath.Join(root, "..next"), filepath.Join(root, "..data")))
			},
		},
		{
			"folder",
			func(t *testing.T, root, generation string) string {
				must(t, os.Symlink(generation, filepath.Join(root, "current")))
				return filepath.Join(root, "current")
			},
			func(t *testing.T, root, generation string) {
				must(t, os.Symlink(generation, filepath.Join(root, "next")))
				must(t, os.Rename(filepath.Join(root, "next"), filepath.Join(root, "current")))
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			generations := make([]string, 200)
			for g := range generations {
				generations[g] = fmt.Sprintf("..%d", g)
				must(t, os.Mkdir(filepath.Join(root, generations[g]), 0o700))
				for i := range 5 {
					write(t, filepath.Join(root, generations[g], fmt.Sprintf("%d.yaml", i)), fmt.Sprint(g))
				}
			}
			folder := test.first(t, root, generations[0])
			wait := watchEach(t, file.NewFolder(folder), func(u source.Update) {
				for _, d := range u.Documents {
					if string(d.Data) != string(u.Documents[0].Data) || len(u.Documents) != 5 {
						t.Errorf("half a change was delivered: %s", describe(u))
						return
					}
				}
			})
			for _, g := range generations[1:] {
				test.swap(t, root, g)
			}
			wait("0.yaml=199 1.yaml=199 2.yaml=199 3.yaml=199 4.yaml=199")
		})
	}
}
