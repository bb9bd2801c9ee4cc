package redact

// Session is what is known of the values of one request and its answer. It is of fixed
// size, kept with the stream and used again by Reset.
type Session struct{}

// Reset forgets everything about the last request.
func (s *Session) Reset() { *s = Session{} }
