package deltaxds

import (
	"strings"
	"time"
	"unicode/utf8"
)

// maxMessage bounds what is kept of a client's error message, in bytes.
const maxMessage = 4096

// accept takes the client's ACK of the response in flight and returns how long
// the client took.
func (s *subscription) accept(now time.Time) time.Duration {
	for name := range s.inflight.updated {
		delete(s.parked, name)
	}
	s.status.Acked, s.status.AckedAt = s.inflight.version, now
	took := now.Sub(s.inflight.sent)
	s.inflight = nil
	return took
}

// refuse takes the client's NACK of the response in flight. The refused versions
// are parked: they count as told, so they are not sent again until they change
// or the client asks. Envoy applies the good resources of a refused response and
// names the bad ones in its message, so only those are parked; a message that
// names none leaves all suspect.
func (s *subscription) refuse(message string, now time.Time) {
	message = clip(message)
	suspects := make([]string, 0, 1)
	for name := range s.inflight.updated {
		if mentions(message, name) {
			suspects = append(suspects, name)
		}
		delete(s.parked, name)
	}
	if len(suspects) == 0 {
		for name := range s.inflight.updated {
			suspects = append(suspects, name)
		}
	}
	for _, name := range suspects {
		_, fresh := s.inflight.fresh[name]
		s.parked[name] = Parked{Name: name, Version: s.inflight.updated[name], Message: message, Since: now, missing: fresh}
	}
	s.status.Nacks++
	s.status.LastNack = &Nack{Version: s.inflight.version, Message: message, At: now}
	s.inflight = nil
}

// missing returns the resources that the client refused and has no older
// version of.
func (s *subscription) missing() set {
	var names set
	for name, p := range s.parked {
		if p.missing {
			if names == nil {
				names = set{}
			}
			names[name] = struct{}{}
		}
	}
	return names
}

// mentions reports whether message holds name as a whole word.
func mentions(message, name string) bool {
	if name == "" {
		return false
	}
	for rest, before := message, byte(' '); ; {
		i := strings.Index(rest, name)
		if i < 0 {
			return false
		}
		if i > 0 {
			before = rest[i-1]
		}
		end := i + len(name)
		if !nameByte(before) && (end == len(rest) || !nameByte(rest[end]) || endsSentence(rest[end:])) {
			return true
		}
		before, rest = rest[i], rest[i+1:]
	}
}

// endsSentence reports whether rest begins with a full stop that ends a
// sentence, rather than one within a name.
func endsSentence(rest string) bool {
	return rest[0] == '.' && (len(rest) == 1 || rest[1] == ' ')
}

func nameByte(c byte) bool {
	return c == '-' || c == '_' || c == '.' || c == '@' || c == '/' ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// clip makes a client's message safe to keep and to print.
func clip(message string) string {
	message = strings.ToValidUTF8(message, "\uFFFD")
	if len(message) <= maxMessage {
		return message
	}
	cut := maxMessage
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + "..."
}
