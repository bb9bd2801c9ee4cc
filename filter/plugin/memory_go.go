//go:build wasip1 && !tinygo

package plugin

// memoryPages has no counterpart outside TinyGo. It is here for go vet and the
// linters, which read the package as Go's own compiler does; nothing ships it.
func memoryPages(int32) int32 { return 0 }
