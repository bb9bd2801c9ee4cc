package bucket

// Memory is a Store in memory for one goroutine: dry runs, benchmarks and the
// tests of what is built on a store. It uses the same pages as a shared store.
type Memory struct {
	table Table
	pages [][PageSize]byte
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store of at least one page.
func NewMemory(pages uint32) *Memory {
	pages = max(pages, 1)
	return &Memory{table: Table{Pages: pages}, pages: make([][PageSize]byte, pages)}
}

// Take implements Store.
func (m *Memory) Take(c *Charge, nowNs int64) (Result, error) {
	result, _, err := m.page(c).Take(c, nowNs)
	return result, err
}

// Settle implements Store.
func (m *Memory) Settle(c *Charge, actualMicro, nowNs int64) (unpaid int64, err error) {
	unpaid, _, err = m.page(c).Settle(c, actualMicro, nowNs)
	return unpaid, err
}

func (m *Memory) page(c *Charge) Page {
	return m.pages[m.table.PageOf(c.Key)][:]
}
