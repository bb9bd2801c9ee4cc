package onnx

/*
#include <signal.h>
#include <string.h>
#if defined(__GLIBC__)
#include <malloc.h>
static void weir_trim(void) { malloc_trim(0); }
#else
static void weir_trim(void) {}
#endif

static struct sigaction weir_saved[65];

static void weir_save_signals(void) {
	for (int s = 1; s < 65; s++) {
		memset(&weir_saved[s], 0, sizeof weir_saved[s]);
		sigaction(s, NULL, &weir_saved[s]);
	}
}

static void weir_restore_signals(void) {
	for (int s = 1; s < 65; s++) {
		if (s != SIGKILL && s != SIGSTOP) sigaction(s, &weir_saved[s], NULL);
	}
}
*/
import "C"

// trim gives memory that the C library keeps for later back to the system. Loading a model leaves several times its size
// behind, and unloading frees into the C library's lists only.
func trim() { C.weir_trim() }

// keepSignals calls f and puts the signal handlers back as they were: the CUDA provider installs its own, without the
// flag that Go needs, and the next Ctrl-C would crash the process. The caller sees to it that calls do not overlap.
func keepSignals(f func()) {
	C.weir_save_signals()
	defer C.weir_restore_signals()
	f()
}
