package hold_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/filter/policy/hold"
)

func contents(b *hold.Buffer) []byte {
	var all []byte
	for i := range b.Blocks() {
		all = append(all, b.Block(i)...)
	}
	return all
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

func TestAppendAnyPieces(t *testing.T) {
	want := pattern(5*hold.BlockSize + 123)
	random := rand.New(rand.NewPCG(1, 2))
	pool := hold.NewPool(8 * hold.BlockSize)
	for range 20 {
		var b hold.Buffer
		b.Init(pool, len(want))
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(30_000))
			if err := b.Append(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if b.Len() != len(want) || b.Blocks() != 6 || !bytes.Equal(contents(&b), want) {
			t.Fatalf("%d bytes in %d blocks differ", b.Len(), b.Blocks())
		}
		if got := b.Block(1)[0]; got != want[hold.BlockSize] {
			t.Fatal("going back to a block gave another one")
		}
		b.Release()
		if pool.InUse() != 0 || b.Len() != 0 || b.Blocks() != 0 {
			t.Fatalf("%d bytes in use after release", pool.InUse())
		}
	}
}

func TestLimits(t *testing.T) {
	pool := hold.NewPool(3 * hold.BlockSize)
	var a, b hold.Buffer
	a.Init(pool, 100)
	b.Init(pool, 1<<20)
	if err := a.Append(pattern(101)); err != hold.ErrStreamLimit || a.Len() != 100 {
		t.Errorf("over the stream's limit: %v, holds %d", err, a.Len())
	}
	if err := a.Append(pattern(1)); err != hold.ErrStreamLimit {
		t.Errorf("full stream: %v", err)
	}
	if err := b.Append(pattern(3 * hold.BlockSize)); err != hold.ErrPoolExhausted || b.Len() != 2*hold.BlockSize {
		t.Errorf("over the pool's limit: %v, holds %d", err, b.Len())
	}
	a.Release()
	if err := b.Append(pattern(1)); err != nil {
		t.Errorf("after a release: %v", err)
	}
	pool.SetLimit(hold.BlockSize)
	if err := a.Append(pattern(1)); err != hold.ErrPoolExhausted {
		t.Errorf("below a lowered limit: %v", err)
	}
	pool.SetLimit(40 * hold.BlockSize)
	if err := a.Append(pattern(1)); err != nil {
		t.Errorf("below a raised limit: %v", err)
	}
	b.Release()
	a.Release()
	if pool.InUse() != 0 {
		t.Errorf("%d bytes in use", pool.InUse())
	}
}

func TestDropFirst(t *testing.T) {
	pool := hold.NewPool(4 * hold.BlockSize)
	want := pattern(2*hold.BlockSize + 5)
	var b hold.Buffer
	b.Init(pool, 1<<20)
	if err := b.Append(want); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for b.Blocks() > 0 {
		got = append(got, b.Block(0)...)
		b.DropFirst()
		if b.Len() != max(0, len(want)-len(got)) {
			t.Fatalf("%d bytes left", b.Len())
		}
	}
	if !bytes.Equal(got, want) || pool.InUse() != 0 {
		t.Errorf("bytes differ, %d in use", pool.InUse())
	}
}

func TestNoAllocationAfterWarmUp(t *testing.T) {
	pool := hold.NewPool(64 * hold.BlockSize)
	body := pattern(40 * hold.BlockSize)
	var b hold.Buffer
	use := func() {
		b.Init(pool, 1<<20)
		if err := b.Append(body); err != nil {
			t.Fatal(err)
		}
		b.Release()
	}
	use()
	if n := testing.AllocsPerRun(100, use); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestOverwrite(t *testing.T) {
	want := pattern(3*hold.BlockSize + 50)
	pool := hold.NewPool(8 * hold.BlockSize)
	var b hold.Buffer
	b.Init(pool, len(want))
	if err := b.Append(want); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 1, hold.BlockSize - 3, hold.BlockSize, 2*hold.BlockSize + 7, len(want) - 9} {
		copy(want[at:], "overwrite")
		b.Overwrite(at, []byte("overwrite"))
		if !bytes.Equal(contents(&b), want) {
			t.Fatalf("at %d: other bytes", at)
		}
	}
	b.Overwrite(len(want), nil)
}
