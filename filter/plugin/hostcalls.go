//go:build wasip1

package plugin

import "unsafe"

// status is the result of a host call (proxy_status_t).
type status uint32

const (
	statusOK            status = 0
	statusNotFound      status = 1
	statusInvalidMemory status = 6
	statusCasMismatch   status = 8
)

// Header maps and buffers of the ABI.
const (
	requestHeaders   = 0
	responseHeaders  = 2
	responseTrailers = 3

	requestBody         = 0
	responseBody        = 1
	pluginConfiguration = 7
)

// Where host calls write their results. A pointer to a local variable would
// make TinyGo allocate it.
var (
	outPointer uint32
	outSize    uint32
	outVersion uint32
	outTime    int64
	outID      uint32
)

func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func textPointer(s string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(s)) }

// view is b as a string without a copy, valid while b is: TinyGo allocates for
// string(b) even where it is only compared.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Log levels of the ABI.
const (
	levelInfo  = 2
	levelError = 4
)

func logLine(level uint32, line []byte) { proxyLog(level, pointer(line), uint32(len(line))) }

// getPairs is all headers of a map, in the ABI's form; valid until the next call.
func getPairs(kind uint32) ([]byte, status) {
	for {
		headerBlock.receive()
		s := status(proxyGetHeaderMapPairs(kind, unsafe.Pointer(&outPointer), unsafe.Pointer(&outSize)))
		if s != statusInvalidMemory || !headerBlock.grow() {
			return headerBlock.received(s)
		}
	}
}

func setHeader(kind uint32, name string, value []byte) status {
	return status(proxyReplaceHeaderMapValue(kind, textPointer(name), uint32(len(name)), pointer(value), uint32(len(value))))
}

func addHeader(kind uint32, name string, value []byte) status {
	return status(proxyAddHeaderMapValue(kind, textPointer(name), uint32(len(name)), pointer(value), uint32(len(value))))
}

func removeHeader(kind uint32, name string) status {
	return status(proxyRemoveHeaderMapValue(kind, textPointer(name), uint32(len(name))))
}

// getBuffer is a range of at most rangeSize bytes; valid until the next call.
func getBuffer(kind, start, length uint32) ([]byte, status) {
	rangeBlock.receive()
	s := status(proxyGetBufferBytes(kind, start, length, unsafe.Pointer(&outPointer), unsafe.Pointer(&outSize)))
	return rangeBlock.received(s)
}

// setBody puts p in place of the first drain bytes of a body.
func setBody(kind, drain uint32, p []byte) status {
	return status(proxySetBufferBytes(kind, 0, drain, pointer(p), uint32(len(p))))
}

// appendBody adds p at the end of a body.
func appendBody(kind uint32, p []byte) status {
	if len(p) == 0 {
		return statusOK
	}
	return status(proxySetBufferBytes(kind, 1<<32-1, 0, pointer(p), uint32(len(p))))
}

// getProperty is a property of the stream, its path's parts joined by zero
// bytes; valid until the next call on the same block.
func getProperty(b *block, path string) ([]byte, status) {
	for {
		b.receive()
		s := status(proxyGetProperty(textPointer(path), uint32(len(path)), unsafe.Pointer(&outPointer), unsafe.Pointer(&outSize)))
		if s != statusInvalidMemory || !b.grow() {
			return b.received(s)
		}
	}
}

func setProperty(path string, value []byte) status {
	return status(proxySetProperty(textPointer(path), uint32(len(path)), pointer(value), uint32(len(value))))
}

const clearRouteCacheFunction = "clear_route_cache"

func clearRouteCache() status {
	return status(proxyCallForeignFunction(textPointer(clearRouteCacheFunction), uint32(len(clearRouteCacheFunction)), nil, 0, nil, nil))
}

// now is the wall clock in Unix nanoseconds.
func now() int64 {
	proxyGetCurrentTime(unsafe.Pointer(&outTime)) // it cannot fail for a valid address
	return outTime
}
