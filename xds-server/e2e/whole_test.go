package e2e

import "testing"

// TestWhole runs one Weir for all tests that leave it as they found it. The one
// that kills its Envoy is last: others count Envoy's starts.
func TestWhole(t *testing.T) {
	s := bootWith(t, func(s *stack) []change { return []change{goneModel, registerTest(t), secureListener(s.secure)} })
	for _, test := range []struct {
		name string
		run  func(*testing.T, *stack)
	}{
		{"models", testModels},
		{"broken input", testBrokenInput},
		{"stranger", testStranger},
		{"nobody", testNobody},
		{"trusted peer", testTrustedPeer},
		{"metrics", testMetrics},
		{"hot reload", testHotReload},
		{"bad resource", testBadResource},
		{"killed control plane", testKilledControlPlane},
		{"killed over a bad resource", testKilledOverBadResource},
		{"dead envoy", testDeadEnvoy},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}
