//go:build wasip1 && trapdrill

package plugin

// trapHeader makes the drill's module trap, so that the reload of a VM can be
// rehearsed with a real one. The module that ships has no such code.
const trapHeader = "x-weir-trap"

func drill(name []byte) {
	if view(name) == trapHeader {
		panic("trap drill")
	}
}
