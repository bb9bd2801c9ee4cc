package journal

// present says whether the worker has a slot, and claims one if not. After a time in
// which it may have been given up it looks first.
func (j *Journal) present(nowNs int64) bool {
	if j.slot != none {
		if age := nowNs - j.beatNs; age >= -second && age < staleNs {
			return true
		}
		if j.sayAlive(nowNs) {
			return true
		}
	}
	return j.slot == none && j.claim(nowNs)
}

// sayAlive counts the head's number up. If the slot is another's by now, it is lost;
// false is also the answer if the store cannot be used.
func (j *Journal) sayAlive(nowNs int64) bool {
	b, version, found, err := j.store.Load(j.slot, Head)
	if err != nil {
		return false
	}
	h := readHead(b)
	if !found || h.epoch != j.epoch || h.dying {
		j.lose()
		return false
	}
	h.beat, h.pages = h.beat+1, j.told
	saved, err := j.store.Save(j.slot, Head, h.put(&j.head), version, found)
	switch {
	case err != nil:
		return false
	case !saved: // nobody but who gives the worker up writes there
		j.lose()
		return false
	}
	j.beatNs = nowNs
	return true
}

// lose forgets the slot and what is listed there: somebody has settled it.
func (j *Journal) lose() { j.slot = none }

// claim takes the first free slot.
func (j *Journal) claim(nowNs int64) bool {
	for slot := range Slots {
		b, version, found, err := j.store.Load(slot, Head)
		if err != nil {
			return false
		}
		h := readHead(b)
		if found && h.epoch != 0 {
			continue
		}
		mine := head{epoch: j.random() | 1, beat: h.beat + 1}
		saved, err := j.store.Save(slot, Head, mine.put(&j.head), version, found)
		if err != nil {
			return false
		}
		if saved {
			j.slot, j.epoch, j.beatNs = slot, mine.epoch, nowNs
			j.generation++
			j.told, j.dirty, j.first = 0, 0, 0
			clear(j.used[:])
			if j.pages == nil {
				j.pages = make([]byte, Pages*PageSize)
			}
			clear(j.pages)
			return true
		}
	}
	return false
}

// Tick says that the worker lives, if it has a slot, and settles for those that do not
// any more. It is called once a second.
func (j *Journal) Tick(buckets Buckets, nowNs int64) {
	if j.slot != none {
		j.sayAlive(nowNs)
	}
	for slot := range Slots {
		if slot == j.slot {
			continue
		}
		b, version, found, err := j.store.Load(slot, Head)
		if err != nil || !found { // slots are claimed in order
			return
		}
		if h := readHead(b); j.standsStill(slot, &h) {
			j.bury(slot, h, version, buckets, nowNs)
		}
	}
}

// standsStill says whether the worker of a slot has not counted for too long.
func (j *Journal) standsStill(slot int, h *head) bool {
	o := &j.seen[slot]
	if h.epoch == 0 || h.beat != o.beat {
		*o = observed{beat: h.beat}
		return false
	}
	o.ticks++
	return o.ticks >= deadTicks
}

// bury settles what a dead worker had listed, page by page, and frees its slot. If this
// worker dies over it, the next one goes on.
func (j *Journal) bury(slot int, h head, version uint32, buckets Buckets, nowNs int64) {
	h.dying, h.beat = true, h.beat+1
	if saved, err := j.store.Save(slot, Head, h.put(&j.head), version, true); err != nil || !saved {
		return // it lives, or another was faster
	}
	j.seen[slot] = observed{beat: h.beat}
	for p := range int(h.pages) {
		if !j.buryPage(slot, p, buckets, nowNs) {
			return
		}
	}
	b, version, found, err := j.store.Load(slot, Head)
	if now := readHead(b); err != nil || !found || now != h {
		return // another took it over
	}
	_, _ = j.store.Save(slot, Head, (&head{beat: h.beat + 1}).put(&j.head), version, true) // if it fails, the slot is tried again
}

// buryPage takes a page out of the store and settles its entries.
func (j *Journal) buryPage(slot, p int, buckets Buckets, nowNs int64) bool {
	b, version, found, err := j.store.Load(slot, p)
	if err != nil {
		return false
	}
	if !found || len(b) != PageSize {
		return true
	}
	copy(j.scratch[:], b)
	if !j.listed() {
		return true
	}
	if saved, err := j.store.Save(slot, p, empty[:], version, true); err != nil || !saved {
		return false
	}
	for at := 0; at < PageSize; at += entrySize {
		if j.entry.get(j.scratch[at : at+entrySize]) {
			buckets.SettleFor(&j.entry, nowNs)
			j.Orphans++
		}
	}
	return true
}

// listed says whether there is an entry in scratch.
func (j *Journal) listed() bool {
	for at := 0; at < PageSize; at += entrySize {
		if j.entry.get(j.scratch[at : at+entrySize]) {
			return true
		}
	}
	return false
}

var empty [PageSize]byte
