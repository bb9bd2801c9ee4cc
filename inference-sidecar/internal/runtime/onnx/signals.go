package onnx

/*
#include <signal.h>
#include <string.h>

enum { weir_signals = 65 };
static struct sigaction weir_saved[weir_signals];

static void weir_save_signals(void) {
	for (int s = 1; s < weir_signals; s++) {
		memset(&weir_saved[s], 0, sizeof weir_saved[s]);
		sigaction(s, NULL, &weir_saved[s]);
	}
}

static void weir_mend_signals(void) {
	for (int s = 1; s < weir_signals; s++) {
		struct sigaction now;
		memset(&now, 0, sizeof now);
		if (sigaction(s, NULL, &now) != 0 || now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN) continue;
		if (!(now.sa_flags & SA_ONSTACK)) sigaction(s, &weir_saved[s], NULL);
	}
}
*/
import "C"

// The CUDA provider installs signal handlers without SA_ONSTACK, anywhere from being opened to a model's first runs. Go
// needs that flag (package os/signal, "Go programs that use cgo"): without it the next Ctrl-C crashes the process.

// saveSignals remembers the signal handlers as they are, which must still be Go's.
func saveSignals() { C.weir_save_signals() }

// mendSignals puts the remembered handlers in the place of those without the flag. It may be called from many goroutines
// at once, and takes microseconds.
func mendSignals() { C.weir_mend_signals() }
