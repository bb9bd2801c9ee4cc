package wasmhost

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
)

// Reply is a local reply.
type Reply struct {
	Status  int
	Headers Headers // as the filter gave them
	Body    []byte
	Details string // response code details
	GRPC    int    // status for a gRPC client; -1: none
}

// Message is one direction of a stream as the other side sees it.
type Message struct {
	Headers  Headers // nil: nothing arrived
	Body     []byte
	Trailers Headers
	Ended    bool // the end of the stream arrived
}

// errFinished is returned for callbacks after Done.
var errFinished = errors.New("the stream is done")

// Stream is one HTTP stream through the filter. The caller plays Envoy's codecs:
// each method is one callback, and what the filter lets through collects in
// Upstream and Downstream.
type Stream struct {
	Upstream   Message // what the upstream got
	Downstream Message // what the client got
	Reply      *Reply  // local reply of the filter, if any
	Cut        bool    // the upstream request was begun, then cut by Reply
	Closed     bool    // the filter resets the stream: nothing but Done may follow

	vm          *VM
	id          uint32
	created     bool
	grpc        bool // the client speaks gRPC
	done        bool
	properties  map[string]string
	filterState map[string][]byte
	routeClears int
	pending     []*Reply
	maps        map[mapType]*Headers // header maps that the guest may use now
	request     body
	response    body
}

// NewStream opens a stream on the serving root context. Properties are what
// proxy_get_property finds, by path with parts joined by dots, e.g.
// "connection.uri_san_peer_certificate".
func (vm *VM) NewStream(properties map[string]string) (*Stream, error) {
	if vm.root == 0 {
		return nil, errors.New("the VM has no configuration: call Configure first")
	}
	vm.lastID++
	return &Stream{
		vm: vm, id: vm.lastID,
		properties:  maps.Clone(properties),
		filterState: map[string][]byte{},
		maps:        map[mapType]*Headers{},
		request:     body{limit: vm.options.BufferLimit},
		response:    body{limit: vm.options.BufferLimit},
	}, nil
}

// FilterState are the objects that the filter set, by Envoy's key ("wasm.weir").
func (s *Stream) FilterState() map[string][]byte { return maps.Clone(s.filterState) }

// RouteCacheCleared is how often the filter made Envoy choose the route again.
func (s *Stream) RouteCacheCleared() int { return s.routeClears }

func (s *Stream) property(path string) (string, bool) {
	v, ok := s.properties[strings.ReplaceAll(path, "\x00", ".")]
	return v, ok
}

// setProperty puts a value into filter state, where Envoy prefixes the key.
func (s *Stream) setProperty(path, value string) { s.filterState["wasm."+path] = []byte(value) }

func (s *Stream) headerMap(t mapType) *Headers {
	if s == nil {
		return nil
	}
	return s.maps[t]
}

// call runs one callback of the stream and then what the filter deferred.
func (s *Stream) call(name string, args ...uint64) (Action, error) {
	if s.done {
		return Continue, errFinished
	}
	if err := s.create(); err != nil {
		return Continue, err
	}
	outer := s.vm.current
	s.vm.current = s
	result, err := s.vm.call(name, append([]uint64{uint64(s.id)}, args...)...)
	s.vm.current = outer
	if err != nil {
		return Continue, err
	}
	if len(s.pending) == 0 {
		return Action(uint32(result)), nil
	}
	return PauseNoBuffer, s.deliver()
}

func (s *Stream) create() error {
	if s.created {
		return nil
	}
	s.created = true
	s.vm.streams[s.id] = s
	_, err := s.vm.call("proxy_on_context_create", uint64(s.id), uint64(s.vm.root))
	return err
}

// deliver sends the first pending local reply: it passes the response
// callbacks like any other response.
func (s *Stream) deliver() error {
	reply := s.pending[0]
	s.pending = nil
	if s.Reply != nil || s.Downstream.Headers != nil {
		return fmt.Errorf("local reply %d (%s) after a response had begun", reply.Status, reply.Details)
	}
	s.Reply, s.Cut = reply, s.Upstream.Headers != nil
	if s.grpc {
		_, err := s.ResponseHeaders(reply.trailersOnly(), true)
		return err
	}
	headers := Headers{{Name: ":status", Value: strconv.Itoa(reply.Status)}}
	headers = append(headers, reply.Headers...)
	if len(reply.Body) > 0 {
		headers.set("content-length", strconv.Itoa(len(reply.Body)))
		if _, ok := headers.Get("content-type"); !ok {
			headers.add("content-type", "text/plain")
		}
	}
	if _, err := s.ResponseHeaders(headers, len(reply.Body) == 0); err != nil || len(reply.Body) == 0 {
		return err
	}
	_, err := s.ResponseBody(reply.Body, true)
	return err
}

// trailersOnly is the reply as Envoy sends it to gRPC clients.
func (r *Reply) trailersOnly() Headers {
	h := Headers{{Name: ":status", Value: "200"}}
	h = append(h, r.Headers...)
	h.set("content-type", grpcType)
	if r.GRPC >= 0 { // else Envoy makes one of the HTTP status
		h.set("grpc-status", strconv.Itoa(r.GRPC))
	}
	h.set("grpc-message", url.PathEscape(string(r.Body)))
	return h
}

// tooLarge is Envoy's own answer to a full buffer.
func (s *Stream) tooLarge() error {
	s.pending = append(s.pending, &Reply{Status: 413, Body: []byte("Payload Too Large"), Details: "request_payload_too_large", GRPC: -1})
	return s.deliver()
}

// Done ends the stream in any state: log, done, delete, as Envoy does for every
// end of a stream.
func (s *Stream) Done() error {
	if s.done {
		return errFinished
	}
	if _, err := s.call("proxy_on_log"); err != nil {
		return err
	}
	if _, err := s.call("proxy_on_done"); err != nil {
		return err
	}
	_, err := s.call("proxy_on_delete")
	s.done = true
	delete(s.vm.streams, s.id)
	return err
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
