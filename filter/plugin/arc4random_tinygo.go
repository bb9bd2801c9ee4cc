//go:build wasip1 && tinygo

package plugin

import "unsafe"

// arc4random is what TinyGo's runtime seeds its hashes with, once a VM. That of WASI's C
// library brings a cipher, and for an assertion all of printf: fifteen kilobytes.
//
//go:linkname arc4random arc4random
func arc4random() (n uint32) {
	if wasiRandomGet(unsafe.Pointer(&arc4randomResult), 4) != 0 {
		return 0
	}
	return arc4randomResult
}

var arc4randomResult uint32 // an address that the host writes to
