//go:build wasip1 && !trapdrill

package plugin

// drill does nothing in the module that ships.
func drill([]byte) {}
