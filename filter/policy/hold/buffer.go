package hold

// Buffer is what one stream holds: a chain of blocks. Use Init before the first
// Append. It must be released before it is dropped.
type Buffer struct {
	pool  *Pool
	limit int
	first int32
	last  int32
	room  int // free bytes in the last block
	size  int
	count int // blocks

	// Where Block found the last block it was asked for: asking for one after the
	// other costs one step each.
	index int
	at    int32
}

// Init binds an empty buffer to a pool and sets how many bytes it may hold.
func (b *Buffer) Init(pool *Pool, limit int) {
	*b = Buffer{pool: pool, limit: limit, first: none, last: none, at: none}
}

// Append copies p to the end. If it does not fit into the limit of the stream or
// of the pool it takes what fits, and Len says how much that was.
func (b *Buffer) Append(p []byte) error {
	over := len(p) > b.limit-b.size
	if over {
		p = p[:max(0, b.limit-b.size)]
	}
	for len(p) > 0 {
		if b.room == 0 && !b.extend() {
			return ErrPoolExhausted
		}
		n := copy(b.pool.block(b.last)[BlockSize-b.room:], p)
		b.room -= n
		b.size += n
		p = p[n:]
	}
	if over {
		return ErrStreamLimit
	}
	return nil
}

func (b *Buffer) extend() bool {
	next := b.pool.take()
	if next == none {
		return false
	}
	if b.last == none {
		b.first = next
	} else {
		b.pool.next[b.last] = next
	}
	b.last, b.room = next, BlockSize
	b.count++
	return true
}

// Len returns the number of bytes held.
func (b *Buffer) Len() int { return b.size }

// Blocks returns the number of blocks; all but the last are full.
func (b *Buffer) Blocks() int { return b.count }

// Block returns the bytes of block i (0 <= i < Blocks), valid until the buffer is
// changed. Going through them in order costs one step each.
func (b *Buffer) Block(i int) []byte {
	if b.at == none || i < b.index {
		b.index, b.at = 0, b.first
	}
	for b.index < i {
		b.index, b.at = b.index+1, b.pool.next[b.at]
	}
	all := b.pool.block(b.at)
	if b.at == b.last {
		return all[:BlockSize-b.room]
	}
	return all
}

// Overwrite puts p in place of the bytes from at on; all of it must stand within Len.
func (b *Buffer) Overwrite(at int, p []byte) {
	for i := at / BlockSize; len(p) > 0; i++ {
		n := copy(b.Block(i)[at%BlockSize:], p)
		at, p = at+n, p[n:]
	}
}

// DropFirst gives the first block back, and the bytes in it are gone.
func (b *Buffer) DropFirst() {
	if b.count <= 1 {
		b.Release()
		return
	}
	gone := b.first
	b.first = b.pool.next[gone]
	b.pool.give(gone)
	b.size -= BlockSize
	b.count--
	b.at = none
}

// Release gives all blocks back. The buffer is then empty and ready for use.
func (b *Buffer) Release() {
	for at := b.first; at != none; {
		next := b.pool.next[at]
		b.pool.give(at)
		at = next
	}
	b.Init(b.pool, b.limit)
}

// SetLimit changes how many bytes the buffer may hold.
func (b *Buffer) SetLimit(limit int) { b.limit = limit }
