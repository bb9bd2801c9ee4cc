package wasmhost

import (
	"errors"
	"fmt"
)

// PeerProperty is the property that names the downstream's SPIFFE ID.
const PeerProperty = "connection.uri_san_peer_certificate"

// Request is a whole request for VM.Do.
type Request struct {
	Method  string // empty: POST
	Path    string
	Headers Headers // without pseudo headers; content-length only if it stands here
	Body    []byte
	// Chunks are the pieces in which Envoy gets the body; nil: Body in one piece.
	Chunks [][]byte
	// SeparateEnd brings the end of the body in an empty last chunk, as Envoy's
	// HTTP/1 codec does.
	SeparateEnd bool
	Trailers    Headers
	Peer        string            // SPIFFE ID that the downstream proved; empty: none
	Properties  map[string]string // further properties, parts joined by dots

	// Response is what the upstream answers; nil: an empty 200.
	Response *Message
	// ResponseChunks are the pieces in which Envoy gets the response's body; nil: its
	// Body in one piece.
	ResponseChunks [][]byte
}

// Outcome is what became of a request.
type Outcome struct {
	Forwarded         bool    // the upstream got the whole request
	Headers           Headers // request headers that the upstream got
	Body              []byte  // request body that the upstream got
	Trailers          Headers // request trailers that the upstream got
	Reply             *Reply  // local reply of the filter; may follow on Headers in overflow mode
	Response          Message // what the client got
	FilterState       map[string][]byte
	RouteCacheCleared bool
	Actions           []Action // what each request callback returned, in order
}

// Do sends one request through the filter and its answer back. The error tells
// of a fault of the filter: a trap, a request that it lets hang, or use of host
// state that Envoy would not allow.
func (vm *VM) Do(r Request) (Outcome, error) {
	properties := map[string]string{}
	for k, v := range r.Properties {
		properties[k] = v
	}
	if r.Peer != "" {
		properties[PeerProperty] = r.Peer
	}
	s, err := vm.NewStream(properties)
	if err != nil {
		return Outcome{}, err
	}
	var o Outcome
	if err := s.send(r, &o); err != nil {
		return o, err
	}
	if err := s.answer(r.Response, r.ResponseChunks); err != nil {
		return o, err
	}
	if err := s.Done(); err != nil {
		return o, err
	}
	o.Forwarded = s.Upstream.Ended && s.Reply == nil
	o.Headers, o.Body, o.Trailers = s.Upstream.Headers, s.Upstream.Body, s.Upstream.Trailers
	o.Reply, o.Response = s.Reply, s.Downstream
	o.FilterState, o.RouteCacheCleared = s.FilterState(), s.RouteCacheCleared() > 0
	if !o.Forwarded && o.Reply == nil {
		return o, errors.New("the filter neither forwarded the request nor answered it")
	}
	return o, nil
}

// send plays the request callbacks until the request has ended or was answered.
func (s *Stream) send(r Request, o *Outcome) error {
	note := func(a Action, err error) error {
		o.Actions = append(o.Actions, a)
		return err
	}
	chunks := r.pieces()
	if err := note(s.RequestHeaders(r.head(), len(chunks) == 0 && r.Trailers == nil)); err != nil {
		return err
	}
	for i, p := range chunks {
		if s.Reply != nil {
			return nil
		}
		end := i == len(chunks)-1 && r.Trailers == nil
		if err := note(s.RequestBody(p, end)); err != nil {
			return fmt.Errorf("chunk %d: %w", i, err)
		}
	}
	if r.Trailers == nil || s.Reply != nil {
		return nil
	}
	return note(s.RequestTrailers(r.Trailers))
}

// answer plays the response callbacks for a request that went upstream.
func (s *Stream) answer(m *Message, chunks [][]byte) error {
	if s.Reply != nil || !s.Upstream.Ended {
		return nil
	}
	if m == nil {
		m = &Message{Headers: Headers{{Name: ":status", Value: "200"}}}
	}
	if chunks == nil && len(m.Body) > 0 {
		chunks = [][]byte{m.Body}
	}
	end := len(chunks) == 0 && m.Trailers == nil
	if _, err := s.ResponseHeaders(m.Headers, end); err != nil || end {
		return err
	}
	for i, p := range chunks {
		if _, err := s.ResponseBody(p, i == len(chunks)-1 && m.Trailers == nil); err != nil {
			return fmt.Errorf("chunk %d of the response: %w", i, err)
		}
		if s.Closed {
			return nil
		}
	}
	if m.Trailers == nil {
		return nil
	}
	_, err := s.ResponseTrailers(m.Trailers)
	return err
}

// head is the header map with the pseudo headers that Envoy puts first.
func (r Request) head() Headers {
	method := r.Method
	if method == "" {
		method = "POST"
	}
	return append(Headers{
		{Name: ":authority", Value: "weir.test"},
		{Name: ":path", Value: r.Path},
		{Name: ":method", Value: method},
		{Name: ":scheme", Value: "http"},
	}, r.Headers...)
}

func (r Request) pieces() [][]byte {
	chunks := r.Chunks
	if chunks == nil && len(r.Body) > 0 {
		chunks = [][]byte{r.Body}
	}
	if r.SeparateEnd && len(chunks) > 0 {
		chunks = append(chunks[:len(chunks):len(chunks)], nil)
	}
	return chunks
}
