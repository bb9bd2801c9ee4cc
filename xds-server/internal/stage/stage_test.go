package stage

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

var (
	canary   = id("canary")
	other    = id("canary-2")
	follower = id("follower")
	outside  = id("outside")
	start    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func id(name string) spiffeid.ID {
	return spiffeid.RequireFromSegments(spiffeid.RequireTrustDomainFromString("weir.test"), name)
}

// snap is a snapshot whose version follows from content.
func snap(t testing.TB, content string) *snapshot.Snapshot {
	t.Helper()
	r, err := snapshot.NewResource("m@v1", &clusterv3.Cluster{Name: "m@v1", AltStatName: content})
	if err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.New(r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func group(change func(*Group)) []Group {
	g := Group{Name: "gw", Canaries: []spiffeid.ID{canary}, Followers: []spiffeid.ID{canary, follower}, Timeout: time.Minute}
	if change != nil {
		change(&g)
	}
	return []Group{g}
}

// everyone gives all identities the same content.
func everyone(t testing.TB, content string, groups []Group) Configuration {
	s := snap(t, content)
	return Configuration{Snapshots: Snapshots{canary: s, other: s, follower: s, outside: s}, Groups: groups}
}

func in(t testing.TB, content string, who spiffeid.ID) Node {
	return Node{ID: who, Name: who.Path(), Version: snap(t, content).Version(), Accepted: true}
}

// expect says which content each of canary, follower and outside has.
func expect(t *testing.T, s *Stage, contents string) {
	t.Helper()
	var got []string
	for _, who := range []spiffeid.ID{canary, follower, outside} {
		name := "?"
		for _, content := range []string{"a", "b", "c", "d"} {
			if s.Published()[who].Version() == snap(t, content).Version() {
				name = content
			}
		}
		got = append(got, name)
	}
	if strings.Join(got, "") != contents {
		t.Fatalf("canary, follower and outside have %q, want %q; report %+v", strings.Join(got, ""), contents, s.Report())
	}
}

func begun(t *testing.T, groups []Group) *Stage {
	t.Helper()
	s := New(nil)
	s.Offer(everyone(t, "a", groups), start)
	expect(t, s, "aaa") // there is nothing older to keep
	s.Offer(everyone(t, "b", groups), start)
	expect(t, s, "bab")
	return s
}

func TestFollowersGetWhatEveryCanaryAccepted(t *testing.T) {
	s := begun(t, group(nil))
	if !s.Trying() || s.Observe([]Node{in(t, "a", canary)}, start) || s.Report()[0].State != Trying {
		t.Fatalf("report = %+v", s.Report())
	}
	slow := in(t, "b", canary)
	slow.Accepted = false
	if s.Observe([]Node{in(t, "b", canary), slow}, start) {
		t.Fatal("one of two Envoys of the canary was enough")
	}
	if !s.Observe([]Node{in(t, "b", canary), in(t, "b", canary)}, start) || s.Trying() || s.Report()[0].State != Idle {
		t.Fatalf("report = %+v", s.Report())
	}
	expect(t, s, "bbb")
}

func TestARefusalHolds(t *testing.T) {
	s := begun(t, group(nil))
	refused := Node{ID: canary, Name: "envoy-7", Version: snap(t, "b").Version(), Refused: "no such filter"}
	if s.Observe([]Node{refused}, start) {
		t.Fatal("something changed")
	}
	r := s.Report()[0]
	if r.State != Held || !strings.Contains(r.Reason, "no such filter") || !strings.Contains(r.Reason, "envoy-7") ||
		r.Followers[0].Awaits != snap(t, "b").Version() || r.Followers[0].Version != snap(t, "a").Version() {
		t.Fatalf("report = %+v", r)
	}
	s.Offer(everyone(t, "c", group(nil)), start) // what was refused is not worth waiting for
	expect(t, s, "cac")
	s.Observe([]Node{refused}, start) // of the version before: says nothing
	if s.Report()[0].State != Trying {
		t.Fatalf("report = %+v", s.Report())
	}
	s.Observe([]Node{in(t, "c", canary)}, start)
	expect(t, s, "ccc")
}

func TestWhatComesMeanwhileWaitsItsTurn(t *testing.T) {
	s := begun(t, group(nil))
	s.Offer(everyone(t, "c", group(nil)), start)
	s.Offer(everyone(t, "d", group(nil)), start)
	expect(t, s, "bad")
	if !s.Observe([]Node{in(t, "b", canary)}, start) {
		t.Fatal("nothing changed")
	}
	expect(t, s, "dbd") // c was replaced before anybody saw it
	s.Observe([]Node{in(t, "d", canary)}, start)
	expect(t, s, "ddd")
}

func TestEditedBack(t *testing.T) {
	s := begun(t, group(nil))
	s.Offer(everyone(t, "a", group(nil)), start)
	expect(t, s, "aaa")
	if s.Trying() {
		t.Fatal("there is nothing to try")
	}
	s = begun(t, group(nil))
	s.Offer(everyone(t, "c", group(nil)), start)
	s.Offer(everyone(t, "b", group(nil)), start)
	s.Observe([]Node{in(t, "b", canary)}, start)
	expect(t, s, "bbb")
	if s.Trying() {
		t.Fatal("c was taken back")
	}
}

func TestATimeoutHolds(t *testing.T) {
	s := begun(t, group(nil))
	slow := in(t, "b", canary)
	slow.Accepted = false
	s.Observe([]Node{slow}, start)
	if got := s.Deadline(start); !got.Equal(start.Add(time.Minute)) {
		t.Fatalf("deadline = %s", got)
	}
	late := start.Add(time.Minute)
	s.Observe([]Node{slow}, late)
	if r := s.Report()[0]; r.State != Held || !strings.Contains(r.Reason, "after 1m0s") || !s.Deadline(late).IsZero() {
		t.Fatalf("report = %+v", r)
	}
	s.Observe([]Node{in(t, "b", canary)}, late) // better late than never
	expect(t, s, "bbb")
}

func TestAbsentCanaries(t *testing.T) {
	for _, c := range []struct {
		proceed bool
		after   time.Duration
		want    string
		state   State
	}{
		{false, 0, "bab", Held},
		{false, time.Hour, "bab", Held},
		{true, 0, "bab", Trying}, // it may be coming back
		{true, absentGrace, "bbb", Idle},
	} {
		t.Run(fmt.Sprint(c.proceed, c.after), func(t *testing.T) {
			s := begun(t, group(func(g *Group) { g.Proceed = c.proceed }))
			s.Observe([]Node{in(t, "b", outside)}, start.Add(c.after))
			expect(t, s, c.want)
			if got := s.Report()[0].State; got != c.state {
				t.Fatalf("state = %s, want %s: %+v", got, c.state, s.Report())
			}
		})
	}
}

func TestRemovalAndRollbackWaitForNobody(t *testing.T) {
	s := begun(t, group(nil))
	c := everyone(t, "c", group(nil))
	delete(c.Snapshots, follower)
	s.Offer(c, start)
	if _, still := s.Published()[follower]; still {
		t.Fatal("an identity that was removed keeps its configuration")
	}
	s = begun(t, group(nil))
	s.Force(everyone(t, "d", group(nil)))
	expect(t, s, "ddd")
	if s.Trying() || len(s.Report()) != 1 {
		t.Fatalf("report = %+v", s.Report())
	}
}

func TestGroupsThatShareAnEnvoyAreOne(t *testing.T) {
	groups := append(group(nil), Group{
		Name: "b", Canaries: []spiffeid.ID{other}, Followers: []spiffeid.ID{follower}, Timeout: time.Hour, Proceed: true,
	}, Group{Name: "nobody", Followers: []spiffeid.ID{outside}})
	s := begun(t, groups)
	s.Observe([]Node{in(t, "b", canary)}, start)
	expect(t, s, "bab") // the other canary has not spoken
	if !s.Observe([]Node{in(t, "b", canary), in(t, "b", other)}, start) {
		t.Fatal("nothing changed")
	}
	expect(t, s, "bbb")
	if r := s.Report(); len(r) != 1 || r[0].Group != "b+gw" || len(r[0].Followers) != 1 {
		t.Fatalf("report = %+v", r)
	}
}

func TestAnotherGroupBeginsAnew(t *testing.T) {
	s := begun(t, group(nil))
	s.Offer(everyone(t, "c", nil), start)
	expect(t, s, "ccc")
	s.Offer(everyone(t, "d", group(func(g *Group) { g.Canaries = []spiffeid.ID{other} })), start)
	expect(t, s, "ccd")
}

// TestNoFollowerGetsWhatNoCanaryAccepted makes random offers, with canaries that
// accept, refuse, lag and leave, and looks at every change of a follower.
func TestNoFollowerGetsWhatNoCanaryAccepted(t *testing.T) {
	snaps := make([]*snapshot.Snapshot, 8)
	for i := range snaps {
		snaps[i] = snap(t, fmt.Sprint(i))
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		s, now := New(Snapshots{canary: snaps[0], follower: snaps[0]}), start
		accepted := map[string]bool{snaps[0].Version(): true}
		gave := map[string]bool{snaps[0].Version(): true}
		for range 100 {
			before := s.Published()[follower].Version()
			now = now.Add(time.Duration(r.IntN(20)) * time.Second)
			if r.IntN(2) == 0 {
				one := snaps[r.IntN(len(snaps))]
				s.Offer(Configuration{Snapshots: Snapshots{canary: one, follower: one}, Groups: group(nil)}, now)
			} else {
				n := Node{ID: canary, Version: s.Published()[canary].Version()}
				switch r.IntN(4) {
				case 0:
					n.Accepted = true
					accepted[n.Version] = true
				case 1:
					n.Refused = "no"
				case 2:
					n.ID = outside
				}
				s.Observe([]Node{n}, now)
			}
			if after := s.Published()[follower].Version(); after != before && !accepted[after] {
				t.Fatalf("seed %d: the follower got a version that the canary never accepted", seed)
			} else {
				gave[after] = true
			}
		}
		if len(gave) < 2 {
			t.Fatalf("seed %d: the follower never got anything", seed)
		}
	}
}

func TestMembersAreNamedOnce(t *testing.T) {
	got := disjoint([]Group{{Name: "g", Canaries: []spiffeid.ID{other, canary, other}, Followers: []spiffeid.ID{follower, canary, follower}}})
	if len(got) != 1 || !slices.Equal(got[0].Canaries, []spiffeid.ID{canary, other}) || !slices.Equal(got[0].Followers, []spiffeid.ID{follower}) {
		t.Fatalf("groups = %+v", got)
	}
}
