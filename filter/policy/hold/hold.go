// Package hold keeps request bodies in a bounded pool of fixed blocks, so that a
// stream can be held without Envoy buffering it and without the heap of the wasm
// module growing with traffic: TinyGo's heap never shrinks, and collecting large
// short-lived objects makes it double.
//
// Blocks are taken from the Go heap in segments when they are first needed, are
// never given back to it, and move through a free list afterwards: after warm-up
// nothing is allocated. A pool belongs to one worker and has no locks.
package hold

// BlockSize is the number of bytes in one block.
const BlockSize = 16 << 10

// segmentBlocks is how many blocks are taken from the heap at once.
const segmentBlocks = 16

// none ends a chain of blocks.
const none = -1

// Error is why bytes could not be held.
type Error uint8

// Reasons why bytes could not be held.
const (
	ErrStreamLimit   Error = iota + 1 // the stream may not hold more
	ErrPoolExhausted                  // all blocks of the pool are in use
)

// Error says the reason in words.
func (e Error) Error() string {
	if e == ErrStreamLimit {
		return "stream holds as much as it may"
	}
	return "all blocks of the pool are in use"
}

// Pool is a bounded set of blocks. The zero value holds nothing: use NewPool.
type Pool struct {
	segments [][]byte
	next     []int32 // by block: the block after it, in a chain or in the free list
	free     int32   // first block of the free list
	inUse    int
	limit    int // blocks that may be in use
}

// NewPool returns a pool that holds at most limit bytes, rounded down to whole
// blocks but at least one.
func NewPool(limit int) *Pool {
	p := &Pool{free: none}
	p.SetLimit(limit)
	return p
}

// SetLimit changes how many bytes the pool may hold. Blocks that are in use
// beyond a smaller limit stay until they are released.
func (p *Pool) SetLimit(limit int) {
	p.limit = max(1, limit/BlockSize)
	wanted := (p.limit + segmentBlocks - 1) / segmentBlocks
	if wanted <= cap(p.segments) {
		return
	}
	next := make([]int32, wanted*segmentBlocks)
	copy(next, p.next)
	p.next = next
	segments := make([][]byte, len(p.segments), wanted)
	copy(segments, p.segments)
	p.segments = segments
}

// InUse returns how many bytes the blocks in use can hold.
func (p *Pool) InUse() int { return p.inUse * BlockSize }

// take returns a free block, or none.
func (p *Pool) take() int32 {
	if p.inUse >= p.limit {
		return none
	}
	if p.free == none {
		p.grow()
	}
	b := p.free
	p.free = p.next[b]
	p.next[b] = none
	p.inUse++
	return b
}

// grow takes one more segment from the heap and frees its blocks. Callers made
// sure that the limit allows a block more.
func (p *Pool) grow() {
	start := int32(len(p.segments) * segmentBlocks)
	p.segments = append(p.segments, make([]byte, segmentBlocks*BlockSize))
	for b := start + segmentBlocks - 1; b >= start; b-- {
		p.next[b] = p.free
		p.free = b
	}
}

func (p *Pool) give(b int32) {
	p.next[b] = p.free
	p.free = b
	p.inUse--
}

// block returns the whole memory of a block.
func (p *Pool) block(b int32) []byte {
	at := int(b%segmentBlocks) * BlockSize
	return p.segments[b/segmentBlocks][at : at+BlockSize]
}
