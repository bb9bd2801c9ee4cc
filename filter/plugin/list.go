//go:build wasip1

package plugin

// keepList says that the worker lives, settles for those that do not, and writes into the
// list what the streams cost that are under way.
func (w *vm) keepList() {
	list, at := &w.host.list, now()
	list.Tick(&w.host.store, at)
	w.metrics.orphaned.add(int64(list.Orphans))
	list.Orphans = 0
	for _, s := range w.live {
		if s.phase != forwarded && s.phase != passing {
			continue
		}
		for i := 0; ; i++ {
			c, spent := s.engine.OpenCharge(i)
			if c == nil {
				break
			}
			list.Note(c, spent)
		}
	}
	list.Flush()
}

// leave takes a stream off the list of those that live.
func (w *vm) leave(s *stream) {
	last := w.live[len(w.live)-1]
	w.live[s.at], last.at = last, s.at
	w.live = w.live[:len(w.live)-1]
}
