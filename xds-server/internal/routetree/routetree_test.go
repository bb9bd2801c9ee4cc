package routetree_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/murmur3"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/split"
	"github.com/weirmesh/weir/filter/policy/tree"
	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/routetree"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

var versions = []string{"v1", "v2", "v3", "v2.3.1-cuda118", "v1.2.0-cpu", "2024-01-01"}

// compile compiles a route's spec and returns what is wrong with it.
func compile(t *testing.T, yaml string) (*routetree.Tree, []string) {
	t.Helper()
	documents, problems := strictyaml.Parse("route.yaml", []byte(yaml))
	if len(problems) > 0 || len(documents) != 1 {
		t.Fatal(problems)
	}
	route := api.ModelRouteSpec{}
	documents[0].Decode(&route)
	for _, p := range documents[0].Problems() {
		if p.Field != "model" { // it plays no part here
			t.Fatal(p)
		}
	}
	var wrong []string
	made := routetree.Standard().Compile(routetree.Route{Spec: &route, Versions: versions, Salt: "chat"}, func(field, message, _ string) {
		wrong = append(wrong, field+": "+message)
	})
	return made, wrong
}

func good(t *testing.T, yaml string) *routetree.Tree {
	t.Helper()
	made, wrong := compile(t, yaml)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	return made
}

// request is what trees are asked about.
type request struct {
	attributes []spec.Attribute
	values     map[spec.Attribute]string
	now        int64
}

func (r *request) Attribute(i int, _ bool) []byte { return []byte(r.values[r.attributes[i]]) }
func (r *request) Now() int64                     { return r.now }

// decide returns the version and the name of a decision; no version is the split.
func decide(t *routetree.Tree, values map[spec.Attribute]string, now int64) (version, name string) {
	var path tree.Path
	leaf := t.Tree.Leaves[tree.Walk(&t.Tree, &request{t.Attributes, values, now}, &path)]
	if leaf.Version >= 0 {
		version = versions[leaf.Version]
	}
	return version, t.Tree.Texts[leaf.Name]
}

func user(name string) map[spec.Attribute]string {
	return map[spec.Attribute]string{{Source: spec.FromUser}: name}
}

// A million keys are put into slots as an independent implementation of MurmurHash3
// and flagd's arithmetic put them.
func TestMurmurReference(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	key := make([]byte, 64)
	for i := range 1_000_000 {
		n := random.IntN(len(key) + 1)
		for j := range n {
			key[j] = byte(random.Uint32())
		}
		cut := random.IntN(n + 1)
		want := murmur3.Sum32(key[:n])
		if got := split.Hash(key[:cut], key[cut:n]); got != want {
			t.Fatalf("key %d, %x: %#x, want %#x", i, key[:n], got, want)
		}
		if got := split.Bucket(key[:cut], key[cut:n]); uint64(got) != uint64(want)*10_000>>32 {
			t.Fatalf("bucket of %#x is %d", want, got)
		}
	}
}

// Of 100,000 users every share is met within half a percentage point.
func TestShares(t *testing.T) {
	for name, yaml := range map[string]string{
		"weight": `policy: [{name: s, weight: {versions: [{version: v1, weight: 5}, {version: v2, weight: 25.5}, {version: v3, weight: 69.5}]}}]`,
		"ab":     `policy: [{name: s, ab: {arms: [{version: v1, weight: 5}, {version: v2, weight: 25.5}, {version: v3, weight: 69.5}]}}]`,
		"rules":  `rules: [{weight: 0.05, target: v1}, {weight: 0.255, target: v2}, {weight: 0.695, target: v3}]`,
		"slots": `
policy:
  - {name: a, userHash: {below: 50, of: 1000, version: v1}}
  - {name: b, when: user.id % 1000 < 305, version: v2}
  - {name: c, version: v3}`,
	} {
		t.Run(name, func(t *testing.T) {
			made := good(t, yaml)
			if !made.Total {
				t.Error("it does not decide for all")
			}
			counts := map[string]int{}
			for i := range 100_000 {
				version, _ := decide(made, user(fmt.Sprintf("user-%d@example.com", i)), 0)
				counts[version]++
			}
			for version, want := range map[string]float64{"v1": 5, "v2": 25.5, "v3": 69.5} {
				if got := float64(counts[version]) / 1000; math.Abs(got-want) > 0.5 {
					t.Errorf("%s has %.2f %%, want %.1f %%", version, got, want)
				}
			}
		})
	}
}

// When a new version's share grows, nobody who has it loses it.
func TestGrowthMovesNobodyBack(t *testing.T) {
	for name, yaml := range map[string]string{
		"weight":    `policy: [{name: s, weight: {versions: [{version: v2, weight: %[1]d}, {version: v1, weight: %[2]d}]}}]`,
		"ab":        `policy: [{name: s, ab: {arms: [{version: v2, weight: %[1]d}, {version: v1, weight: %[2]d}]}}]`,
		"userHash":  `{policy: [{name: s, userHash: {below: %[1]d, version: v2}}], version: v1}`,
		"rule":      `{version: v1, rules: [{weight: 0.%02[1]d, target: v2}]}`,
		"condition": `{version: v1, rules: [{condition: "user.id %%%% 100 < %[1]d", target: v2}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			text := func(percent int) string {
				text := fmt.Sprintf(strings.ReplaceAll(yaml, "%%%%", "\x00"), percent, 100-percent)
				text, _, _ = strings.Cut(text, "%!(EXTRA")
				return strings.ReplaceAll(text, "\x00", "%")
			}
			before := make([]bool, 100_000)
			for _, percent := range []int{5, 10, 11, 50, 99} {
				made, inside := good(t, text(percent)), 0
				for i := range before {
					version, _ := decide(made, user(fmt.Sprint("user-", i)), 0)
					if before[i] && version != "v2" {
						t.Fatalf("at %d %% user %d lost the version", percent, i)
					}
					if before[i] = version == "v2"; before[i] {
						inside++
					}
				}
				if share := float64(inside) / 1000; math.Abs(share-float64(percent)) > 0.5 {
					t.Errorf("%d %%: %.2f %%", percent, share)
				}
			}
		})
	}
}

// The same users are meant by a weight of the tree, by slots and by the split.
func TestOneHash(t *testing.T) {
	made := good(t, `{version: v1, rules: [{condition: user.id % 100 < 7, weight: 0.07, target: v2}]}`)
	for i := range 10_000 {
		name := fmt.Sprint(i)
		version, _ := decide(made, user(name), 0)
		inSplit := split.Pick([]uint32{700, 9300}, split.Bucket([]byte("chat"), []byte(name))) == 0
		if (version == "v2") != inSplit {
			t.Fatalf("user %s: version %q, by the split %v", name, version, inSplit)
		}
	}
}

// Experiments are independent of each other and of the split.
func TestExperimentsAreIndependent(t *testing.T) {
	one := good(t, `policy: [{name: one, ab: {arms: [{version: v1, weight: 50}, {version: v2, weight: 50}]}}]`)
	two := good(t, `policy: [{name: two, ab: {arms: [{version: v1, weight: 50}, {version: v2, weight: 50}]}}]`)
	both := 0
	for i := range 100_000 {
		a, _ := decide(one, user(fmt.Sprint(i)), 0)
		b, _ := decide(two, user(fmt.Sprint(i)), 0)
		if a == "v1" && b == "v1" {
			both++
		}
	}
	if both < 24_500 || both > 25_500 {
		t.Errorf("%d of 100,000 are in the first arm of both", both)
	}
}

func TestVariant(t *testing.T) {
	for version, want := range map[string]string{
		"v2.3.1-cuda118": "cuda118", "v1.2.0-cpu": "cpu", "1.0-CPU": "cpu", "v1-a-b": "a-b", "v1": "", "2024-01-01": "", "canary-cpu": "", "v1-": "",
	} {
		if got := routetree.Variant(version); got != want {
			t.Errorf("%s: %q, want %q", version, got, want)
		}
	}
}

func TestRegisterTwice(t *testing.T) {
	r := routetree.Standard()
	of := func(s *api.RouteStep) *api.HeaderStrategy { return s.Header }
	if err := routetree.Register(r, "header", of, nothing{}); err == nil || !strings.Contains(err.Error(), `"header"`) {
		t.Error(err)
	}
	if err := routetree.Register(r, "other", of, nothing{}); err != nil {
		t.Error(err)
	}
}

type nothing struct{}

func (nothing) Build(b *routetree.Builder, _ *api.HeaderStrategy) routetree.Target { return b.Next() }

// Every field of a step is a strategy by its own name, but for those that are none.
func TestEveryFieldIsAStrategy(t *testing.T) {
	var fields []string
	step := reflect.TypeFor[api.RouteStep]()
	for i := range step.NumField() {
		name, _, _ := strings.Cut(step.Field(i).Tag.Get("yaml"), ",")
		if !slices.Contains([]string{"name", "when", "then"}, name) {
			fields = append(fields, name)
		}
	}
	if names := routetree.Standard().Names(); !slices.Equal(names, fields) {
		t.Errorf("strategies %v, fields %v", names, fields)
	}
}

func TestProblems(t *testing.T) {
	for yaml, want := range map[string]string{
		`{version: v1, rules: [{condition: "user.id % 100 < 10", weight: 0.2, target: v2}]}`:                                                                 `spec.rules[0].weight: the condition takes 10 of 100 slots of the users, the weight says 0.2 of them`,
		`{rules: [{weight: 0.5, target: v2}, {weight: 0.4, target: v1}]}`:                                                                                    `spec.rules: the weights of the rules without a condition add up to 0.9, not to 1`,
		`{version: v1, rules: [{weight: 0.6, target: v2}, {weight: 0.6, target: v3}]}`:                                                                       `spec.rules: the weights of the rules without a condition add up to 1.2, not to 1`,
		`{version: v1, rules: [{weight: 0, target: v2}]}`:                                                                                                    `spec.rules[0].weight: a weight of 0 takes no request`,
		`{version: v1, rules: [{target: v2}]}`:                                                                                                               `spec.rules[0]: a rule has match and version, or target with a condition, a weight or both`,
		`{version: v1, rules: [{condition: "user = 1", target: v2}]}`:                                                                                        `spec.rules[0].condition: column 6: = is no operator`,
		`{version: v1, rules: [{condition: "has(user)", target: v9}]}`:                                                                                       `spec.rules[0].target: the model has no version "v9"`,
		`{version: v1, rules: [{name: a, condition: "has(user)", target: v2}, {name: a, condition: "has(tenant)", target: v3}]}`:                             `spec.rules[1].name: the name "a" is used twice`,
		`{version: v1, policy: [{name: a, when: "has(user)", version: v2}, {name: b, then: [{name: a, version: v3}]}]}`:                                      `spec.policy[1].then[0].name: the name "a" is used twice`,
		`{version: v1, rules: [{condition: "user % 100 < 10", target: v2}, {weight: 0.1, target: v3}]}`:                                                      `spec.rules[1].target: no request can come to this`,
		`{version: v1, policy: [{name: a, when: "user % 10 < 3", version: v2}, {name: b, when: "user % 100 < 30", version: v3}]}`:                            `spec.policy[1].version: no request can come to this`,
		`{version: v1, policy: [{name: a, version: v2}, {name: b, version: v3}]}`:                                                                            `spec.policy[1].version: no request can come to this`,
		`{version: v1, policy: [{name: a, when: 'tenant == "a" && tenant == "b"', version: v2}]}`:                                                            `spec.policy[0].version: no request can come to this`,
		`{version: v1, policy: [{name: a, when: '!has(tenant) && startsWith(tenant, "x")', version: v2}]}`:                                                   `spec.policy[0].version: no request can come to this`,
		`{version: v1, policy: [{name: a, when: 'startsWith(tenant, "x")', version: v2}, {name: b, when: 'tenant == "xy"', version: v3}]}`:                   `spec.policy[1].version: no request can come to this`,
		`{version: v1, policy: [{name: a, when: 'tenant == "a"', then: [{name: b, when: 'tenant != "a"', version: v2}]}]}`:                                   `spec.policy[0].then[0].version: no request can come to this`,
		`{version: v1, policy: [{name: a, when: 'time < "12:00"', then: [{name: b, when: 'time > "13:00"', version: v2}]}]}`:                                 `spec.policy[0].then[0].version: no request can come to this`,
		`{version: v1, policy: [{name: a, when: 'user % 100 < 0', version: v2}]}`:                                                                            `spec.policy[0].version: no request can come to this`,
		`{version: v1, policy: [{name: a, header: {name: x-a, values: [{value: b, version: v2}]}}, {name: c, when: 'header("x-a") in ["b"]', version: v3}]}`: `spec.policy[1].version: no request can come to this`,
		`{version: v1, policy: [{name: a}]}`:                                                                                                                 `spec.policy[0]: the step decides nothing`,
		`{version: v1, policy: [{name: a, version: v2, split: true}]}`:                                                                                       `spec.policy[0]: the step decides in 2 ways`,
		`{policy: [{name: a, weight: {versions: [{version: v1, weight: 50}, {version: v2, weight: 40}]}}]}`:                                                  `spec.policy[0].weight.versions: weights add up to 90, not to 100`,
		`{policy: [{name: a, ab: {arms: [{version: v1, weight: 50}, {version: v1, weight: 50}]}}]}`:                                                          `spec.policy[0].ab.arms[1].version: version "v1" has a share already`,
		`{policy: [{name: a, ab: {arms: [{version: v1, weight: 100}, {version: v2, weight: 0}]}}]}`:                                                          `spec.policy[0].ab.arms[1].weight: no request gets a share of 0`,
		`{version: v1, policy: [{name: a, ab: {by: user % 3, arms: [{version: v1, weight: 100}]}}]}`:                                                         `spec.policy[0].ab.by: column 1: a text of the request is needed here`,
		`{version: v1, policy: [{name: a, userHash: {below: 101, version: v2}}]}`:                                                                            `spec.policy[0].userHash.below: 101 is not from 1 to 100`,
		`{version: v1, policy: [{name: a, userHash: {below: 1, of: 2000000, version: v2}}]}`:                                                                 `spec.policy[0].userHash.of: 2000000 is not from 1 to 1000000`,
		`{version: v1, policy: [{name: a, variant: {versions: [v1]}}]}`:                                                                                      `spec.policy[0].variant.versions[0]: version "v1" names no hardware variant`,
		`{version: v1, policy: [{name: a, timeWindow: {version: v2}}]}`:                                                                                      `spec.policy[0].timeWindow: the window is all of time`,
		`{version: v1, policy: [{name: a, timeWindow: {from: "9:00", version: v2}}]}`:                                                                        `spec.policy[0].timeWindow.from: "9:00" is no time of day`,
		`{version: v1, policy: [{name: a, timeWindow: {days: [mon, mon], version: v2}}]}`:                                                                    `spec.policy[0].timeWindow.days[1]: the day is listed twice`,
		`{version: v1, policy: [{name: a, timeWindow: {days: [monday], version: v2}}]}`:                                                                      `spec.policy[0].timeWindow.days[0]: "monday" is no weekday`,
		`{version: v1, policy: [{name: a, timeWindow: {after: "2026-11-02T00:00:00Z", before: "2026-11-01T00:00:00Z", version: v2}}]}`:                       `spec.policy[0].timeWindow.before: the window ends before it begins`,
		`{version: v1, policy: [{name: a, colour: {versions: [{colour: b, version: v1}, {colour: b, version: v2}]}}]}`:                                       `spec.policy[0].colour.versions[1].colour: colour "b" has a version already`,
	} {
		_, wrong := compile(t, yaml)
		if !slices.ContainsFunc(wrong, func(w string) bool { return strings.HasPrefix(w, want) }) {
			t.Errorf("%s: %q, want %s", yaml, wrong, want)
		}
	}
}

// What differs from these in a word is an error above.
func TestReachable(t *testing.T) {
	for _, yaml := range []string{
		`{version: v1, policy: [{name: a, when: "user % 10 < 3", version: v2}, {name: b, when: "user % 100 < 31", version: v3}]}`,
		`{version: v1, policy: [{name: a, when: 'startsWith(tenant, "xyz")', version: v2}, {name: b, when: 'startsWith(tenant, "xy")', version: v3}]}`,
		`{version: v1, policy: [{name: a, when: "user % 100 < 10", version: v2}, {name: b, when: 'hash(user, "other") % 100 < 10', version: v3}]}`,
		`{version: v1, policy: [{name: a, when: "!has(tenant)", version: v2}, {name: b, when: "tenant % 2 == 0", version: v3}]}`,
	} {
		if made, wrong := compile(t, yaml); len(wrong) > 0 || made.Total {
			t.Errorf("%s: %q", yaml, wrong)
		}
	}
	if made := good(t, `policy: [{name: a, when: "user % 10 < 3", version: v2}, {name: b, when: "user % 10 >= 3", version: v3}]`); !made.Total {
		t.Error("two halves are not the whole")
	}
	if made, wrong := compile(t, `split: [{version: v1, weight: 100}]`); made != nil || len(wrong) > 0 {
		t.Errorf("a route that needs no tree has %+v, %q", made, wrong)
	}
}

// A window that passes midnight belongs to the day on which it begins.
func TestTimeWindow(t *testing.T) {
	made := good(t, `{version: v1, policy: [{name: n, timeWindow: {from: "22:00", to: "06:00", days: [fri, sat], offset: "-05:00", version: v2}}]}`)
	const friday = 1_699_574_400 // 2023-11-10T00:00:00Z
	for hour := range 24 * 7 {
		local := hour - 5 // since Friday midnight
		day, at := (local+24*7)%(24*7)/24, (local+24*7)%24
		want := at >= 22 && day <= 1 || at < 6 && (day == 1 || day == 2)
		version, _ := decide(made, nil, int64(friday+hour*3600)*1e9)
		if (version == "v2") != want {
			t.Errorf("hour %d: version %q, want inside %v", hour, version, want)
		}
	}
	dated := good(t, `{version: v1, policy: [{name: n, timeWindow: {after: "2023-11-10T00:00:00Z", before: "2023-11-11T00:00:00+00:00", version: v2}}]}`)
	for seconds, want := range map[int64]string{friday - 1: "", friday: "v2", friday + 86_399: "v2", friday + 86_400: ""} {
		if version, _ := decide(dated, nil, seconds*1e9); version != want {
			t.Errorf("%d: %q, want %q", seconds, version, want)
		}
	}
}
