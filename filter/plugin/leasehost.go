//go:build wasip1

package plugin

import "unsafe"

// leaseCluster is the cluster of the xds-server in Envoy's bootstrap.
const leaseCluster = "xds"

// httpCallResponseBody is a buffer of the ABI.
const httpCallResponseBody = 4

// Headers of calls in the ABI's form, see pairs, before and behind the path, which has 27
// bytes.
const (
	callBefore = "\x06\x00\x00\x00" +
		"\x07\x00\x00\x00\x04\x00\x00\x00" + "\x07\x00\x00\x00\x05\x00\x00\x00" + "\x0a\x00\x00\x00\x03\x00\x00\x00" +
		"\x05\x00\x00\x00\x1b\x00\x00\x00" + "\x0c\x00\x00\x00\x10\x00\x00\x00" + "\x02\x00\x00\x00\x08\x00\x00\x00" +
		":method\x00POST\x00" + ":scheme\x00https\x00" + ":authority\x00xds\x00" + ":path\x00"
	callBehind = "\x00" + "content-type\x00application/grpc\x00" + "te\x00trailers\x00"

	leaseHeaders = callBefore + "/weir.lease.v1.Leases/Renew" + callBehind
	sealHeaders  = callBefore + "/weir.evidence.v1.Keys/Give" + callBehind
)

// noTrailers is a map of no headers.
const noTrailers = "\x00\x00\x00\x00"

// workerLeases is the leaseHost on Envoy.
type workerLeases struct{}

func (workerLeases) get(name string) (value []byte, version uint32, found bool, err error) {
	leaseBlock.receive()
	s := status(proxyGetSharedData(textPointer(name), uint32(len(name)),
		unsafe.Pointer(&outPointer), unsafe.Pointer(&outSize), unsafe.Pointer(&outVersion)))
	value, s = leaseBlock.received(s)
	switch s {
	case statusOK:
		return value, outVersion, true, nil
	case statusNotFound:
		return nil, 0, false, nil
	}
	return nil, 0, false, errStoreUnusable
}

func (workerLeases) set(name string, value []byte, version uint32, found bool) (saved bool, err error) {
	if !found {
		version = createVersion
	}
	switch status(proxySetSharedData(textPointer(name), uint32(len(name)), pointer(value), uint32(len(value)), version)) {
	case statusOK:
		return true, nil
	case statusCasMismatch:
		return false, nil
	}
	return false, errStoreUnusable
}

func (workerLeases) call(body []byte) error { return callServer(leaseHeaders, body, leaseAnswered) }

// callServer calls the xds-server.
func callServer(headers string, body []byte, answered func(headers, size, trailers int)) error {
	s := status(proxyHTTPCall(textPointer(leaseCluster), uint32(len(leaseCluster)), textPointer(headers), uint32(len(headers)),
		pointer(body), uint32(len(body)), textPointer(noTrailers), uint32(len(noTrailers)), leaseTimeoutMilliseconds, unsafe.Pointer(&outID)))
	if s != statusOK {
		return errNoServer
	}
	registerHTTPCallout(outID, answered)
	return nil
}

const errNoServer storeError = "the cluster of the xds-server cannot be called"

// leaseAnswered is called for the answer, and for a call that failed.
func leaseAnswered(_, size, _ int) {
	worker.host.leases.answered(callBody(size), now())
}

// callBody is the body of the answer that is being told, nil if there is none.
func callBody(size int) []byte {
	body, s := getBuffer(httpCallResponseBody, 0, uint32(max(size, 0)))
	if s != statusOK {
		return nil
	}
	return body
}

// workerSeal is the leaseHost of a seal.
type workerSeal struct{ workerLeases }

func (workerSeal) call(body []byte) error { return callServer(sealHeaders, body, sealAnswered) }

// sealAnswered is called for the answer, and for a call that failed.
func sealAnswered(_, size, _ int) { worker.seal.answered(callBody(size)) }
