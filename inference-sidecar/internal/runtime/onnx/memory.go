package onnx

/*
#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>
static void weir_trim(void) { malloc_trim(0); }
#else
static void weir_trim(void) {}
#endif
*/
import "C"

// trim gives memory that the C library keeps for later back to the system. Loading a model leaves several times its size
// behind, and unloading frees into the C library's lists only.
func trim() { C.weir_trim() }
