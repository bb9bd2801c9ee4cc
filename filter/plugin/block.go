//go:build wasip1

package plugin

import (
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/journal"
)

// rangeSize is the most that is read of a body or a configuration at once.
const rangeSize = 64 << 10

// maxBlock bounds what a block may grow to: above Envoy's largest setting for
// request headers (8 MiB) with the lengths of each.
const maxBlock = 16 << 20

// block is where the host puts the result of a call. It is used again for the
// next call, so a result is valid until then; it grows to the largest result.
type block struct {
	space  []byte
	wanted uint32 // what the host asked for and did not get
}

// Blocks by use, so that results that are needed together do not overwrite
// each other.
var (
	headerSpace [16 << 10]byte
	rangeSpace  [rangeSize]byte
	peerSpace   [2 << 10]byte
	smallSpace  [max(bucket.PageSize, journal.PageSize)]byte // pages are not asked for twice
	leaseSpace  [4 << 10]byte
	recordSpace [8 << 10]byte // a record that is being sealed

	headerBlock = block{space: headerSpace[:]}
	rangeBlock  = block{space: rangeSpace[:]}
	peerBlock   = block{space: peerSpace[:]}
	smallBlock  = block{space: smallSpace[:]} // shared data and short properties
	leaseBlock  = block{space: leaseSpace[:]} // shared data of leases

	receiver *block // block of the host call that runs
)

// malloc is Envoy's allocator for results; it prefers this name to
// proxy_on_memory_allocate and never frees. It hands out the block of the call
// that runs and allocates nothing: while a host call runs, the garbage collector
// must not. If the block is too small the host call fails, its caller grows the
// block and asks again.
//
//export malloc
func malloc(size uint32) unsafe.Pointer {
	if receiver == nil || size > uint32(len(receiver.space)) {
		if receiver != nil {
			receiver.wanted = size
		}
		return nil
	}
	return unsafe.Pointer(&receiver.space[0])
}

// receive makes the block the receiver of the next host call.
func (b *block) receive() {
	b.wanted = 0
	outPointer, outSize = 0, 0
	receiver = b
}

// received is the result of that call.
func (b *block) received(s status) ([]byte, status) {
	receiver = nil
	if s != statusOK {
		return nil, s
	}
	if outSize > uint32(len(b.space)) {
		return nil, statusInvalidMemory
	}
	return b.space[:outSize], statusOK
}

// grow makes room for what the host asked for; false if that was not the fault
// or is too much.
func (b *block) grow() bool {
	if b.wanted == 0 || b.wanted > maxBlock {
		return false
	}
	size := len(b.space)
	for uint32(size) < b.wanted {
		size *= 2
	}
	b.space = make([]byte, size)
	return true
}
