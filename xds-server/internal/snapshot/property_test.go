package snapshot_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// world is a set of resources in a map, to hold a snapshot against.
type world map[snapshot.Ref]*snapshot.Resource

func (w world) put(t testing.TB, name string, message proto.Message) snapshot.Ref {
	t.Helper()
	r, err := snapshot.NewResource(name, message)
	if err != nil {
		t.Fatal(err)
	}
	ref := snapshot.Ref{TypeURL: r.Body.GetTypeUrl(), Name: name}
	w[ref] = r
	return ref
}

// model puts what a model of n versions needs, of a content.
func (w world) model(t testing.TB, name string, n int, content int64) {
	t.Helper()
	var clusters []string
	for i := range n {
		c := cluster(fmt.Sprintf("%s@%d", name, i))
		c.ConnectTimeout = durationpb.New(1)
		w.put(t, c.GetName(), c)
		w.put(t, c.GetName(), endpoints(c.GetName()))
		clusters = append(clusters, c.GetName())
	}
	config := routes(name, clusters[0], clusters...)
	config.InternalOnlyHeaders = []string{fmt.Sprint(content)}
	w.put(t, name, config)
	w.put(t, name, scope(name, name))
}

func (w world) drop(name string) {
	for ref := range w {
		if ref.Name == name || len(ref.Name) > len(name) && ref.Name[:len(name)+1] == name+"@" {
			delete(w, ref)
		}
	}
}

func (w world) snapshot() (*snapshot.Snapshot, error) {
	return snapshot.New(slices.Collect(maps.Values(w))...)
}

// step returns what leads from one world to another.
func step(before, after world) (updates []*snapshot.Resource, removals []snapshot.Ref) {
	for ref, r := range after {
		if before[ref] != r {
			updates = append(updates, r)
		}
	}
	for ref := range before {
		if after[ref] == nil {
			removals = append(removals, ref)
		}
	}
	return updates, removals
}

// naive is Diff by definition.
func naive(before, after world) []snapshot.Change {
	var changes []snapshot.Change
	for _, url := range snapshot.Types() {
		c := snapshot.Change{TypeURL: url}
		for ref, r := range after {
			switch old := before[ref]; {
			case ref.TypeURL != url:
			case old == nil:
				c.Added = append(c.Added, ref.Name)
			case old.Version != r.Version:
				c.Changed = append(c.Changed, ref.Name)
			}
		}
		for ref := range before {
			if ref.TypeURL == url && after[ref] == nil {
				c.Removed = append(c.Removed, ref.Name)
			}
		}
		if len(c.Added)+len(c.Changed)+len(c.Removed) > 0 {
			slices.Sort(c.Added)
			slices.Sort(c.Changed)
			slices.Sort(c.Removed)
			changes = append(changes, c)
		}
	}
	return changes
}

// mutate changes a world at random: mostly consistently, now and then not.
func (w world) mutate(t *testing.T, r *rand.Rand) {
	t.Helper()
	for range 1 + r.IntN(4) {
		name := fmt.Sprint("m", r.IntN(40))
		switch r.IntN(12) {
		case 0, 1, 2:
			w.drop(name)
		case 3: // any one resource, often one that is needed
			all := slices.SortedFunc(maps.Keys(w), compareRefs)
			delete(w, all[r.IntN(len(all))])
		default:
			w.drop(name)
			w.model(t, name, 1+r.IntN(3), int64(r.IntN(3)))
		}
	}
}

func compareRefs(a, b snapshot.Ref) int {
	return cmp.Or(cmp.Compare(a.TypeURL, b.TypeURL), cmp.Compare(a.Name, b.Name))
}

func compareWith(t *testing.T, s *snapshot.Snapshot, w world) {
	t.Helper()
	if s.Size() != len(w) {
		t.Fatalf("%d resources, want %d", s.Size(), len(w))
	}
	for _, url := range snapshot.Types() {
		seen := 0
		for r := range s.All(url) {
			seen++
			if w[snapshot.Ref{TypeURL: url, Name: r.Name}] != r || s.Get(url, r.Name) != r {
				t.Fatalf("%s %q is not the one that was put", url, r.Name)
			}
		}
		if seen != s.Len(url) || len(s.Names(url)) != seen || !slices.IsSorted(s.Names(url)) {
			t.Fatalf("%d of %s, but Len is %d and Names %v", seen, url, s.Len(url), s.Names(url))
		}
	}
}

// TestWithIsNew: however a snapshot is reached, it is what New makes of the same
// set (or fails as that does), and Diff is what its definition says.
func TestWithIsNew(t *testing.T) {
	refused := 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		now := world{}
		now.put(t, "l", listener(t, "l", scopedManager("f")))
		now.put(t, "f", &corev3.TypedExtensionConfig{Name: "f"})
		current, err := now.snapshot()
		if err != nil {
			t.Fatal(err)
		}
		seen := []world{now}
		snaps := []*snapshot.Snapshot{current}
		for range 40 {
			next := maps.Clone(now)
			next.mutate(t, r)
			updates, removals := step(now, next)
			got, err := current.With(updates, removals)
			want, wantErr := next.snapshot()
			if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
				t.Fatalf("With: %v\nNew: %v", err, wantErr)
			}
			compareWith(t, current, now) // as it was
			if err != nil {
				refused++
				continue
			}
			if got.Version() != want.Version() || snapshot.Diff(got, want) != nil || snapshot.Diff(want, got) != nil {
				t.Fatalf("versions %s and %s, diff %v", got.Version(), want.Version(), snapshot.Diff(got, want))
			}
			compareWith(t, got, next)
			now, current = next, got
			seen, snaps = append(seen, now), append(snaps, current)
			i := r.IntN(len(seen))
			if d := snapshot.Diff(snaps[i], current); !reflect.DeepEqual(d, naive(seen[i], now)) {
				t.Fatalf("diff is %v, want %v", d, naive(seen[i], now))
			}
			if d := snapshot.Diff(current, snaps[i]); !reflect.DeepEqual(d, naive(now, seen[i])) {
				t.Fatalf("diff back is %v, want %v", d, naive(now, seen[i]))
			}
			if same := len(naive(seen[i], now)) == 0; same != (snaps[i].Version() == current.Version()) {
				t.Fatalf("same content: %v, but versions are %s and %s", same, snaps[i].Version(), current.Version())
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused: the test shows less than it should")
	}
}
