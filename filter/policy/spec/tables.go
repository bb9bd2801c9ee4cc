package spec

// Tables is memory of automata that nobody uses any more, for those to come. They are the
// largest pieces of a document: left to TinyGo's collector, which takes any word of a
// global for a pointer if it looks like one, some would stay for ever. The zero value has
// none.
type Tables struct{ free [][]byte }

// leastTable is the size from which on memory is used again. There is room for as many in
// a document that no more than maxFree are ever free.
const (
	leastTable = 64 << 10
	maxFree    = 2 * MaxDocumentBytes / leastTable
)

// Put takes an automaton's memory. Nobody may read it any more.
func (t *Tables) Put(b []byte) {
	if cap(b) >= leastTable && len(t.free) < maxFree {
		t.free = append(t.free, b[:0])
	}
}

// take returns memory for an automaton of n bytes: the smallest that is enough. If there is
// none, new memory takes the place of the largest, so that there never is more than was in
// use at one time; it is a little more than n, because lists grow.
func (t *Tables) take(n int) []byte {
	best, largest := -1, -1
	for i, b := range t.free {
		if cap(b) >= n && (best < 0 || cap(b) < cap(t.free[best])) {
			best = i
		}
		if largest < 0 || cap(b) > cap(t.free[largest]) {
			largest = i
		}
	}
	switch {
	case n < leastTable:
		return make([]byte, 0, n)
	case best >= 0:
		return t.drop(best)
	case largest >= 0:
		t.drop(largest)
	}
	return make([]byte, 0, n+n/16)
}

// drop takes an item out of the list.
func (t *Tables) drop(i int) []byte {
	b, last := t.free[i], len(t.free)-1
	t.free[i], t.free[last] = t.free[last], nil
	t.free = t.free[:last]
	return b
}
