package admin

import (
	"context"

	"github.com/weirmesh/weir/xds-server/internal/metrics"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/stage"
)

// Gauges sums up what a backend knows, for a scrape.
func Gauges(b Backend) metrics.State {
	s := b.Status()
	state := metrics.State{
		Revision: s.Config.Revision, Pinned: s.Config.Pin != nil,
		Problems: len(s.Config.Problems), Held: len(s.Config.Held),
		Sources: make(map[string]bool), Resources: make(map[string]int),
	}
	for _, source := range s.Sources {
		state.Sources[source.Name] = source.Connected
	}
	for _, group := range s.Canaries {
		if group.State != stage.Idle {
			state.Canaries++
		}
	}
	for _, node := range s.Nodes {
		if node.InSync {
			state.InSync++
		}
		state.Warming += len(node.Warming)
		for _, t := range node.Types {
			state.Pending += t.Pending
			state.HeldBack += len(t.HeldBack)
			state.Draining += t.Draining
			state.Parked += len(t.Parked) + t.ParkedMore
			if t.Waiting {
				state.Waiting++
			}
		}
	}
	snapshots, err := b.Snapshots(context.Background(), 0)
	if err != nil { // there is none yet, so nothing to count
		return state
	}
	for _, snap := range snapshots {
		for _, url := range snapshot.Types() {
			state.Resources[url] += snap.Len(url)
		}
	}
	return state
}
