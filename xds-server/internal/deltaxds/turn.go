package deltaxds

import "time"

// What a client has is kept as the little in which it differs from a snapshot
// that all streams share; but a client that begins has nothing, or names ten
// thousand things that it has, and costs a hundred times as much until it has
// caught up. So few begin at a time: when a server starts, or a thousand Envoys
// come back at once, its memory stays what it is.
const (
	// turns is how many clients may begin at a time. It does not take longer that
	// way: they share the same processors.
	turns = 8
	// turnSize is the number of resources from which on a client waits for its
	// turn; with fewer it costs little however it begins.
	turnSize = 4096
	// readPatience is how long a client that begins may take for a response before
	// the next one begins beside it: one that does not read holds nobody up for
	// longer. askPatience is the same for one that has everything it asked for.
	readPatience = time.Second
	askPatience  = 50 * time.Millisecond
)

// turn is one client's, from its first request until it has caught up.
type turn struct {
	server *Server
	begun  bool // it was had; the client's requests are read from then on
	held   bool
	silent alarm
}

// wanted is where to ask for a turn; nil if there is no need to.
func (t *turn) wanted() chan<- struct{} {
	if t.begun {
		return nil
	}
	return t.server.turns
}

// take notes that the turn was given.
func (t *turn) take() { t.begun, t.held = true, true }

// listen waits for the client to say something: an answer, or what else it wants.
func (t *turn) listen(answer bool) {
	if !t.held {
		return
	}
	patience := askPatience
	if answer {
		patience = readPatience
	}
	now := t.server.config.Now()
	t.silent.set(t.server, now.Add(patience), now)
}

// pass gives the turn to the next client.
func (t *turn) pass() {
	if t.held {
		t.held = false
		t.silent.stop()
		<-t.server.turns
	}
}
