package wasmhost

import "strings"

// grpcType is the content-type by which Envoy knows gRPC.
const grpcType = "application/grpc"

// RequestHeaders hands the filter the request headers, pseudo headers among them.
func (s *Stream) RequestHeaders(h Headers, end bool) (Action, error) {
	h = h.lower()
	contentType, _ := h.Get("content-type")
	s.grpc = contentType == grpcType || strings.HasPrefix(contentType, grpcType+"+")
	s.maps[mapRequestHeaders] = &h
	action, err := s.call("proxy_on_request_headers", uint64(len(h)), bit(end))
	if err != nil || s.Reply != nil {
		return action, err
	}
	if action == Continue {
		s.forwardHeaders()
		s.Upstream.Ended = end
		delete(s.maps, mapRequestHeaders)
	} else {
		s.request.stopped = true
	}
	return action, nil
}

// forwardHeaders lets the request headers go upstream. Only Continue from the
// headers callback itself takes them from the guest; after Continue from a body
// callback it can still change Envoy's copy, to no effect upstream.
func (s *Stream) forwardHeaders() {
	if s.Upstream.Headers == nil {
		s.Upstream.Headers = s.maps[mapRequestHeaders].Clone()
	}
}

// RequestBody hands the filter one chunk of the request body.
func (s *Stream) RequestBody(p []byte, end bool) (Action, error) {
	if s.Reply != nil {
		return PauseNoBuffer, nil // Envoy aborts the decoder chain
	}
	size, ok := s.request.arrive(p)
	if !ok {
		return Pause, s.tooLarge()
	}
	action, err := s.call("proxy_on_request_body", uint64(size), bit(end))
	if err != nil || s.Reply != nil {
		return action, err
	}
	out, onward, ok := s.request.leave(action)
	switch {
	case !ok:
		return action, s.tooLarge()
	case onward:
		s.forwardHeaders()
		s.Upstream.Body = append(s.Upstream.Body, out...)
		s.Upstream.Ended = end
	}
	return action, nil
}

// RequestTrailers hands the filter the request trailers, which end the request.
func (s *Stream) RequestTrailers(h Headers) (Action, error) {
	if s.Reply != nil {
		return Pause, nil // Envoy aborts the decoder chain
	}
	h = h.lower()
	s.maps[mapRequestTrailers] = &h
	action, err := s.call("proxy_on_request_trailers", uint64(len(h)))
	if err != nil || s.Reply != nil || action != Continue {
		return action, err
	}
	s.forwardHeaders()
	s.Upstream.Body = append(s.Upstream.Body, s.request.resume()...)
	s.Upstream.Trailers = h.Clone()
	s.Upstream.Ended = true
	delete(s.maps, mapRequestTrailers)
	return action, nil
}

// ResponseHeaders hands the filter the response headers, ":status" first.
func (s *Stream) ResponseHeaders(h Headers, end bool) (Action, error) {
	h = h.lower()
	s.maps[mapResponseHeaders] = &h
	action, err := s.call("proxy_on_response_headers", uint64(len(h)), bit(end))
	if err != nil {
		return action, err
	}
	if action == Continue {
		s.Downstream.Headers = h.Clone()
		s.Downstream.Ended = end
		delete(s.maps, mapResponseHeaders)
	} else {
		s.response.stopped = true
	}
	return action, nil
}

// ResponseBody hands the filter one chunk of the response body.
func (s *Stream) ResponseBody(p []byte, end bool) (Action, error) {
	size, _ := s.response.arrive(p)
	action, err := s.call("proxy_on_response_body", uint64(size), bit(end))
	if err != nil {
		return action, err
	}
	if out, onward, _ := s.response.leave(action); onward {
		if h := s.maps[mapResponseHeaders]; h != nil {
			s.Downstream.Headers = h.Clone()
			delete(s.maps, mapResponseHeaders)
		}
		s.Downstream.Body = append(s.Downstream.Body, out...)
		s.Downstream.Ended = end
	}
	return action, nil
}

// ResponseTrailers hands the filter the response trailers, which end the response.
func (s *Stream) ResponseTrailers(h Headers) (Action, error) {
	h = h.lower()
	s.maps[mapResponseTrailers] = &h
	action, err := s.call("proxy_on_response_trailers", uint64(len(h)))
	if err != nil || action != Continue {
		return action, err
	}
	s.Downstream.Body = append(s.Downstream.Body, s.response.resume()...)
	s.Downstream.Trailers = h.Clone()
	s.Downstream.Ended = true
	delete(s.maps, mapResponseTrailers)
	return action, nil
}
