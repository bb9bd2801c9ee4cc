package xdsbench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// printTables prints what was measured, each figure of a baseline with its ratio
// to ours where both are there.
func printTables(out io.Writer, o Options, all []*figures) error {
	if err := changesTable(out, o, all); err != nil {
		return err
	}
	return costTable(out, all)
}

func changesTable(out io.Writer, o Options, all []*figures) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\none change among %d models: from being accepted to the last ACK\n", o.Models)
	fmt.Fprintln(w, "server\tclients\tchange\tp50\tp99\tmost\tof\tlate\trefused\tp50 to weir's\tsent a client and change")
	for _, f := range all {
		for i, p := range f.phases {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", f.server, f.who(), p.name,
				shown(p.quantile(.5)), shown(p.quantile(.99)), shown(p.quantile(1)),
				len(p.result.Took)+p.result.Late+p.result.Refused, p.result.Late, p.result.Refused,
				ratio(all, f, i), fmt.Sprintf("%.0f B, %.2f resources", p.bytes, p.sent))
		}
		if f.failed != nil {
			fmt.Fprintf(w, "%s\t%s\t%v\n", f.server, f.who(), f.failed)
		}
	}
	return flush(w)
}

// who are the clients.
func (f *figures) who() string {
	if f.envoy {
		return fmt.Sprintf("%d + Envoy", f.clients)
	}
	return fmt.Sprint(f.clients)
}

func shown(d time.Duration, late bool) string {
	if late {
		return "> " + d.String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// ratio compares the median of a phase with ours under the same clients.
func ratio(all []*figures, f *figures, i int) string {
	for _, ours := range all {
		if ours.server != ServerWeir || ours.clients != f.clients || i >= len(ours.phases) || ours.phases[i].name != f.phases[i].name {
			continue
		}
		base, unknown := ours.phases[i].quantile(.5)
		took, late := f.phases[i].quantile(.5)
		switch {
		case unknown || base == 0:
			return "-"
		case late:
			return fmt.Sprintf("> %.0f", float64(took)/float64(base))
		}
		return fmt.Sprintf("%.1f", float64(took)/float64(base))
	}
	return "-"
}

func costTable(out io.Writer, all []*figures) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nthe first configuration, and memory\nserver\tclients\tresources\tall have it after\tbytes a client\tserver at start\tserver after the changes\tits peak\tEnvoy resident\tEnvoy allocated")
	for _, f := range all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.server, f.who(), f.resources,
			orNever(f.synced), mebibytes(f.bytes), mebibytes(f.start.resident), orNone(f.steady.resident), orNone(f.steady.peak),
			orNone(f.envoyHas.resident), orNone(f.envoyHas.allocated))
	}
	return flush(w)
}

func orNever(d time.Duration) string {
	if d == 0 {
		return "> " + syncLimit.String()
	}
	return d.Round(time.Millisecond).String()
}

func orNone(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return mebibytes(bytes)
}

func flush(w *tabwriter.Writer) error {
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print figures: %w", err)
	}
	return nil
}
