// Package view writes the answers of the admin API for people, as aligned tables
// in a stable order, and as JSON. It is pure: times are told relative to a now
// that is handed in.
package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
)

// table gathers rows of cells and aligns them.
type table struct {
	out    strings.Builder
	writer *tabwriter.Writer
}

func newTable(head ...string) *table {
	t := &table{}
	t.writer = tabwriter.NewWriter(&t.out, 0, 0, 3, ' ', 0)
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = clean(cmp.Or(cell, "-"))
	}
	_, _ = fmt.Fprintln(t.writer, strings.Join(cells, "\t")) // a string takes every write
}

// String is the table, without spaces at the ends of lines.
func (t *table) String() string {
	_ = t.writer.Flush() // a string takes every write
	var lines strings.Builder
	for line := range strings.Lines(t.out.String()) {
		lines.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return lines.String()
}

// clean keeps text of strangers, such as the message of a NACK, from steering a
// terminal or breaking a table.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		default:
			return r
		}
	}, text)
}

// short is enough of a version to tell it from others.
func short(version string) string {
	const digits = 12
	return version[:min(len(version), digits)]
}

// message is the last part of a type URL.
func message(url string) string { return url[strings.LastIndexByte(url, '.')+1:] }

// span is a duration in its two largest units.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + span(-d)
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return withoutSeconds(d.Round(time.Second))
	case d < 48*time.Hour:
		return withoutSeconds(d.Round(time.Minute))
	default:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}

// withoutSeconds leaves zero seconds away.
func withoutSeconds(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		return strings.TrimSuffix(text, "0s")
	}
	return text
}

func age(t *timestamppb.Timestamp, now time.Time) string {
	if t == nil {
		return ""
	}
	return span(now.Sub(t.AsTime()))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Nodes is a table of Envoys and, below it, what they refused and wait for.
func Nodes(nodes []*adminv1.Node, now time.Time) string {
	if len(nodes) == 0 {
		return "no Envoy is connected\n"
	}
	t := newTable("NODE", "IDENTITY", "VERSION", "IN SYNC", "PENDING", "PARKED", "SERVING", "ADDRESS", "AGE")
	for _, n := range nodes {
		var pending, parked int
		for _, state := range n.GetTypes() {
			pending += int(state.GetPending())
			parked += len(state.GetParked()) + int(state.GetParkedMore())
		}
		t.row(n.GetNode(), n.GetIdentity(), short(n.GetVersion()), sync(n), fmt.Sprint(pending), fmt.Sprint(parked),
			n.GetServing().GetState(), n.GetAddress(), age(n.GetConnected(), now))
	}
	return t.String() + parked(nodes, now) + waiting(nodes) + notServing(nodes)
}

// sync says how far a node is with its version.
func sync(n *adminv1.Node) string {
	switch {
	case n.GetInSync():
		return "yes"
	case n.GetAccepted():
		return "drains" // what the version no longer has is still there
	case len(n.GetWarming()) > 0:
		return "warms"
	default:
		return "no"
	}
}

func parked(nodes []*adminv1.Node, now time.Time) string {
	t := newTable("PARKED AT", "TYPE", "RESOURCE", "VERSION", "FROM", "SINCE", "REASON")
	rows := 0
	for _, n := range nodes {
		for _, state := range n.GetTypes() {
			for _, p := range state.GetParked() {
				t.row(n.GetNode(), message(state.GetType()), p.GetName(), short(p.GetVersion()), p.GetOrigin(), age(p.GetSince(), now), p.GetMessage())
				rows++
			}
			if more := state.GetParkedMore(); more > 0 {
				t.row(n.GetNode(), message(state.GetType()), fmt.Sprintf("and %d more", more), "", "", "", "")
			}
		}
	}
	if rows == 0 {
		return ""
	}
	return "\n" + t.String()
}

// waiting tells what waits for clusters, and for which.
func waiting(nodes []*adminv1.Node) string {
	t := newTable("WAITS AT", "TYPE", "RESOURCE", "FOR")
	rows := 0
	for _, n := range nodes {
		for _, name := range n.GetWarming() {
			t.row(n.GetNode(), "Cluster", name, "its own endpoints to be ready")
			rows++
		}
		for _, state := range n.GetTypes() {
			for _, name := range state.GetHeldBack() {
				t.row(n.GetNode(), message(state.GetType()), name, "a cluster that was refused or warms")
				rows++
			}
		}
		if n.GetWarmFailure() != "" {
			t.row(n.GetNode(), "Cluster", "", "nothing any more: "+n.GetWarmFailure())
			rows++
		}
	}
	if rows == 0 {
		return ""
	}
	return "\n" + t.String()
}

func notServing(nodes []*adminv1.Node) string {
	t := newTable("NOT CONFIRMED AT", "STATE", "WHY")
	rows := 0
	for _, n := range nodes {
		if s := n.GetServing(); s.GetDetail() != "" {
			t.row(n.GetNode(), s.GetState(), s.GetDetail())
			rows++
		}
	}
	if rows == 0 {
		return ""
	}
	return "\n" + t.String()
}

// Resources is a table of xDS resources.
func Resources(resources []*adminv1.Resource) string {
	if len(resources) == 0 {
		return "no resource is like this\n"
	}
	t := newTable("TYPE", "NAME", "VERSION", "IDENTITY", "FROM", "PARKED AT")
	for _, r := range resources {
		var parked []string
		for _, p := range r.GetParkedAt() {
			parked = append(parked, p.GetNode())
		}
		t.row(message(r.GetType()), r.GetName(), short(r.GetVersion()), r.GetIdentity(), r.GetOrigin(), strings.Join(parked, ", "))
	}
	return t.String()
}

// Snapshots is a table of the configurations that are kept, newest first.
func Snapshots(s *adminv1.ListSnapshotsResponse, now time.Time) string {
	if len(s.GetRevisions()) == 0 {
		return "no configuration is kept\n"
	}
	t := newTable("REVISION", "STATE", "AGE", "BY", "IDENTITIES", "CONTENT OF", "CAUSE")
	for _, r := range s.GetRevisions() {
		state := ""
		if r.GetNumber() == s.GetInForce() {
			state = "in force"
			if s.GetPin() != nil {
				state = "held"
			}
		}
		content := ""
		if r.GetRollbackOf() != 0 {
			content = fmt.Sprint(r.GetRollbackOf())
		}
		t.row(fmt.Sprint(r.GetNumber()), state, age(r.GetTime(), now), r.GetBy(), fmt.Sprint(len(r.GetVersions())), content, r.GetCause())
	}
	return t.String() + pinned(s.GetPin(), now)
}

func pinned(p *adminv1.Pin, now time.Time) string {
	if p == nil {
		return ""
	}
	since := ""
	if p.GetSince() != nil {
		since = ", for " + age(p.GetSince(), now)
	}
	return fmt.Sprintf("\na rollback holds revision %d, by %s%s: weir resume ends it\n", p.GetNumber(), clean(p.GetBy()), since)
}

// Diff is what separates two configurations: a line for each resource and,
// indented, for each field.
func Diff(d *adminv1.DiffResponse) string {
	var out strings.Builder
	fmt.Fprintf(&out, "revision %d -> %d\n", d.GetFrom(), d.GetTo())
	counts := make(map[adminv1.ResourceDiff_Kind]int)
	for _, identity := range d.GetIdentities() {
		fmt.Fprintf(&out, "\n%s: %s -> %s\n", clean(identity.GetIdentity()), cmp.Or(short(identity.GetFromVersion()), "nothing"), cmp.Or(short(identity.GetToVersion()), "nothing"))
		for _, r := range identity.GetResources() {
			counts[r.GetKind()]++
			writeResource(&out, r)
		}
	}
	if len(d.GetIdentities()) == 0 {
		out.WriteString("nothing differs\n")
		return out.String()
	}
	fmt.Fprintf(&out, "\n%d added, %d changed, %d removed\n", counts[adminv1.ResourceDiff_ADDED], counts[adminv1.ResourceDiff_CHANGED], counts[adminv1.ResourceDiff_REMOVED])
	return out.String()
}

var marks = map[adminv1.ResourceDiff_Kind]string{adminv1.ResourceDiff_ADDED: "+", adminv1.ResourceDiff_CHANGED: "~", adminv1.ResourceDiff_REMOVED: "-"}

func writeResource(out *strings.Builder, r *adminv1.ResourceDiff) {
	from := ""
	if r.GetOrigin() != "" {
		from = " (" + r.GetOrigin() + ")"
	}
	fmt.Fprintf(out, "%s %s %s%s\n", cmp.Or(marks[r.GetKind()], "?"), message(r.GetType()), clean(r.GetName()), clean(from))
	for _, f := range r.GetFields() {
		switch {
		case f.GetBefore() == "":
			fmt.Fprintf(out, "    + %s: %s\n", clean(f.GetPath()), cut(f.GetAfter()))
		case f.GetAfter() == "":
			fmt.Fprintf(out, "    - %s: %s\n", clean(f.GetPath()), cut(f.GetBefore()))
		default:
			fmt.Fprintf(out, "    ~ %s: %s -> %s\n", clean(f.GetPath()), cut(f.GetBefore()), cut(f.GetAfter()))
		}
	}
}

// cut shows the beginning of a long value.
func cut(value string) string {
	const longest = 160 // characters
	value = clean(value)
	if runes := []rune(value); len(runes) > longest {
		return fmt.Sprintf("%s... (%d characters)", string(runes[:longest]), len(runes))
	}
	return value
}

// sortedKeys are the keys of versions by SPIFFE ID.
func sortedKeys(versions map[string]string) []string {
	keys := make([]string, 0, len(versions))
	for key := range versions {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
