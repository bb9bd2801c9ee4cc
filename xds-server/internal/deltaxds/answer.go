package deltaxds

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// maxMessage bounds what is kept of a client's error message, in bytes.
const maxMessage = 4096

// maxSearched bounds how much of a client's error message is searched for the
// names of resources, in bytes.
const maxSearched = 64 << 10

// accept takes the client's ACK of the response in flight and returns what it
// has accepted.
func (s *subscription) accept(now time.Time) map[string]delivery {
	accepted := s.inflight.updated
	for name := range accepted {
		delete(s.parked, name)
	}
	s.status.Acked, s.status.AckedAt = s.inflight.version, now
	s.inflight = nil
	return accepted
}

// refuse takes the client's NACK of the response in flight and returns the
// resources that are parked by it, by name, and what the client has accepted. The
// refused versions count as told, so they are not sent again until they change
// or the client asks. Envoy names bad clusters and listeners in its message and
// applies the others, so only those are parked. Of bad routes it names none, and
// leaves out those after the first: each resource of such a response is sent once
// more, alone, and only what is refused then stays parked.
func (s *subscription) refuse(message string, target *snapshot.Snapshot, now time.Time) (parked []Parked, accepted map[string]delivery) {
	accepted = s.inflight.updated
	names := suspects(message, accepted)
	unnamed := len(names) > 1 && !mentions(message, names[0])
	message = clip(message)
	for _, name := range names {
		d := accepted[name]
		p := Parked{
			Name: name, Version: d.resource.Version, Message: message, Since: now, Origin: d.resource.Origin,
			missing: d.fresh, serving: d.before,
		}
		s.parked[name] = p
		delete(accepted, name)
		if unnamed {
			s.alone[name] = struct{}{}
			s.again(name, target)
			continue
		}
		parked = append(parked, p)
	}
	for name := range accepted {
		delete(s.parked, name)
	}
	s.status.Nacks++
	s.status.LastNack = &Nack{Version: s.inflight.version, Message: message, At: now}
	s.inflight = nil
	return parked, accepted
}

// suspects are the resources that a message names, or all if it names none.
func suspects(message string, sent map[string]delivery) []string {
	searched := message[:min(len(message), maxSearched)]
	var names []string
	for name := range sent {
		if mentions(searched, name) {
			names = append(names, name)
		}
	}
	if names == nil {
		return slices.Sorted(maps.Keys(sent))
	}
	slices.Sort(names)
	return names
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

// stillRefused counts the refused resources that are as they were in target.
func (s *subscription) stillRefused(target *snapshot.Snapshot) int {
	count := 0
	for name, p := range s.parked {
		if r := target.Get(s.typeURL, name); r != nil && r.Version == p.Version {
			count++
		}
	}
	return count
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
