package dryrun

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// Format is the report in words, one line for each problem or gateway.
func (r *Report) Format() string {
	var out strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintln(&out, p)
	}
	if len(r.Problems) > 0 {
		fmt.Fprintf(&out, "%s in the resources\n", count(len(r.Problems), "problem"))
		return out.String()
	}
	for _, o := range r.Overrides {
		fmt.Fprintln(&out, o)
	}
	for _, g := range r.Gateways {
		fmt.Fprintf(&out, "Gateway/%s: the filter accepts its policy of %s\n", g.Gateway, count(g.PolicyBytes, "byte"))
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&out, note)
	}
	for _, id := range slices.SortedFunc(maps.Keys(r.Snapshots), func(a, b spiffeid.ID) int { return strings.Compare(a.String(), b.String()) }) {
		s := r.Snapshots[id]
		fmt.Fprintf(&out, "%s: %s, version %s\n", id, count(s.Size(), "resource"), s.Version())
	}
	return out.String()
}

// Format is the explanation in words: one line for each step, then the body
// that goes on or comes back.
func (e *Explanation) Format() string {
	t := &table{}
	t.row("request", fmt.Sprintf("%s %s, %s at Gateway/%s", e.Request.Method, e.Request.Path, count(len(e.Request.Body), "byte"), e.Gateway))
	if e.Coding != "" {
		t.row("coding", e.Coding+" is undone by Envoy; the body is taken as it stands here")
	}
	if e.Tokens {
		t.row("token", "not verified here: every claim is absent")
	}
	t.row("model", orNone(e.Record.Model))
	if e.Record.Tenant != "" {
		t.row("tenant", "hash "+e.Record.Tenant)
	}
	e.formatLimits(t)
	e.formatRedactions(t)
	e.formatVersion(t)
	e.formatEnd(t)
	return t.String()
}

func (e *Explanation) formatLimits(t *table) {
	if len(e.Record.Limits) == 0 {
		t.row("limits", "none applies")
		return
	}
	t.row("cost", fmt.Sprintf("%d prompt and at most %d output tokens, temperature %s",
		e.Record.PromptTokens, e.Record.OutputTokens, decimal(e.Record.TemperatureMilli, 1_000)))
	if asked := e.Record.AskedTokens; asked != nil {
		t.row("cap", fmt.Sprintf("lowered from %d to %d output tokens", *asked, e.Record.OutputTokens))
	}
	e.formatEstimate(t)
	for _, c := range e.Record.Limits {
		if w, served := e.Windows[c.Name]; served {
			t.row("limit", fmt.Sprintf("%s, %s: %s", c.Name, e.Keys[c.Name], e.question(w, c.CostMicro)))
			continue
		}
		left := ""
		if c.State == "taken" || c.State == "refused" {
			left = ", " + decimal(c.RemainingMicro, micro) + " left"
		}
		if slices.Contains(e.Shared, c.Name) {
			left += ", shared by all Envoys"
		}
		t.row("limit", fmt.Sprintf("%s, bucket %s %s: costs %s of %s: %s%s", c.Name, c.Key, e.Keys[c.Name],
			decimal(c.CostMicro, micro), decimal(c.CapacityMicro, micro), chargeWords[c.State], left))
	}
}

// question is what Envoy asks the service that keeps a budget.
func (e *Explanation) question(w catalog.Window, costMicro int64) string {
	var at []string
	for _, endpoint := range e.Service.Endpoints {
		at = append(at, endpoint.String())
	}
	budget := "what its configuration says"
	if w != (catalog.Window{}) {
		budget = fmt.Sprintf("%d per %s", w.Hits, map[int64]string{1: "second", 60: "minute", 3600: "hour", 86_400: "day"}[w.Seconds])
	}
	return fmt.Sprintf("costs at most %s of %s; Envoy asks the rate limit service at %s, domain %s", decimal(costMicro, micro), budget, strings.Join(at, ", "), e.Service.Domain)
}

// chargeWords says what became of a charge.
var chargeWords = map[string]string{
	"taken":     "taken",
	"refused":   "refused",
	"failed":    "the store failed",
	"skipped":   "the store failed, and the limit is open",
	"givenBack": "given back, another limit refused",
}

func (e *Explanation) formatRedactions(t *table) {
	switch {
	case e.Redaction == "":
		t.row("redaction", "no policy applies")
	case e.Record.Unscanned:
		t.row("redaction", e.Redaction+": the body could not be read, and goes on")
	case len(e.Record.Redactions) == 0:
		t.row("redaction", e.Redaction+": nothing found")
	default:
		var found []string
		for _, kind := range slices.Sorted(maps.Keys(e.Record.Redactions)) {
			found = append(found, fmt.Sprintf("%d %s", e.Record.Redactions[kind], kind))
		}
		t.row("redaction", e.Redaction+": "+strings.Join(found, ", "))
	}
}

func (e *Explanation) formatVersion(t *table) {
	if e.Record.Bucket != nil {
		bucket := fmt.Sprintf("%d of %d, by the user's hash", *e.Record.Bucket, api.WholeWeight)
		if e.RandomBucket {
			bucket = "another for each request, which names no user"
		}
		t.row("bucket", bucket)
	}
	if e.Destination == nil {
		return
	}
	e.formatTree(t)
	t.row("version", e.Destination.Version+", "+e.versionReason())
	t.row("cluster", e.Destination.Cluster+" at "+where(e.Version))
	e.formatFurther(t)
}

// formatFurther says where else the request goes, and what the model is called there.
func (e *Explanation) formatFurther(t *table) {
	if e.Version.UpstreamModel != "" {
		t.row("name", "the model is called "+e.Version.UpstreamModel+" there")
	}
	if len(e.Destination.Fallback) > 0 {
		t.row("fallback", fmt.Sprintf("%s, on %s before the first byte of an answer", strings.Join(e.Destination.Fallback, ", then "),
			strings.Join(e.Route.Retries.On, ", ")))
		if limit := e.Route.Retries.BodyLimit; uint64(len(e.Body)) > limit {
			t.row("", fmt.Sprintf("none for this one: its body is larger than %s", bytesText(limit)))
		}
	}
	for _, mirror := range e.Route.Mirrors {
		if mirror.Version != e.Destination.Version {
			t.row("mirror", fmt.Sprintf("%s gets a copy of %s%% of the requests", mirror.Version, api.FormatHundredths(int64(mirror.Sample))))
		}
	}
}

// bytesText is an amount of memory as resources have it.
func bytesText(n uint64) string {
	for _, unit := range []struct {
		name string
		bits int
	}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if n > 0 && n%(1<<unit.bits) == 0 {
			return strconv.FormatUint(n>>unit.bits, 10) + unit.name
		}
	}
	return strconv.FormatUint(n, 10) + " bytes"
}

// versionReason says who chose the version.
func (e *Explanation) versionReason() string {
	switch {
	case e.Rule != nil:
		return fmt.Sprintf("by the rule for %s: %s", e.Rule.Header, e.Rule.Value)
	case e.Record.VersionBy == "tree":
		return "by " + e.Record.Rule
	case e.Record.VersionBy == "header":
		return "by the header " + e.Route.VersionHeader
	case e.Record.VersionBy == "path":
		return "by the path"
	}
	var shares []string
	for _, share := range e.Route.Split {
		shares = append(shares, fmt.Sprintf("%s %s%%", share.Version, api.FormatHundredths(int64(share.Weight))))
	}
	return "by the split: " + strings.Join(shares, ", ")
}

func where(version *catalog.Version) string {
	var endpoints []string
	for _, e := range version.Endpoints {
		endpoints = append(endpoints, e.String())
	}
	who := "in plaintext"
	if !version.Peer.IsZero() {
		who = "as " + version.Peer.String()
	}
	return strings.Join(endpoints, ", ") + " " + who
}

func (e *Explanation) formatEnd(t *table) {
	if e.Reply != nil {
		t.row("answer", fmt.Sprintf("%d %s, by the filter", e.Reply.Status, e.Record.Outcome))
		for _, h := range e.Reply.Headers {
			t.row("", h.Name+": "+h.Value)
		}
		t.body(e.Reply.Body)
		return
	}
	if bytes.Equal(e.Body, e.Request.Body) {
		t.row("upstream", "gets the body as it came")
		return
	}
	t.row("upstream", "gets")
	t.body(e.Body)
}

// table is text in two columns.
type table struct{ out strings.Builder }

func (t *table) row(name, value string) { fmt.Fprintf(&t.out, "%-11s%s\n", name, value) }

func (t *table) body(p []byte) {
	t.out.WriteString("\n" + strings.TrimRight(string(p), "\n") + "\n")
}

func (t *table) String() string { return t.out.String() }

const micro = 1_000_000

// decimal writes value/unit with at most three decimals, rounded to the nearest.
func decimal(value, unit int64) string {
	return strconv.FormatFloat(float64((value*1_000+unit/2)/unit)/1_000, 'f', -1, 64)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func orNone(name string) string {
	if name == "" {
		return "none"
	}
	return name
}
