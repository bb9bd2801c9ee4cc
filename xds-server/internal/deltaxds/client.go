package deltaxds

import "google.golang.org/protobuf/types/known/structpb"

// Client is the client of a stream.
type Client struct {
	Stream uint64 // number of the stream, which no other has
	Peer   Peer
	Node   string // node.id as the client claims it
}

// Clients follows the clients of streams, one by one. Its methods must not block
// and are called from many goroutines; those for one stream come one at a time.
type Clients interface {
	// Identified comes with a stream's first request. The metadata are those of
	// the client's node, as it claims them.
	Identified(c Client, metadata *structpb.Struct)
	// Accepted is when Observer.Converged is.
	Accepted(c Client, version string)
	// Refused comes with each NACK.
	Refused(c Client)
	// Left is the end of the stream.
	Left(c Client)
}

// nobody follows the clients.
type nobody struct{}

func (nobody) Identified(Client, *structpb.Struct) {}
func (nobody) Accepted(Client, string)             {}
func (nobody) Refused(Client)                      {}
func (nobody) Left(Client)                         {}

// client is the client of the session, which has named its node.
func (c *session) client(node string) Client {
	return Client{Stream: c.number, Peer: c.peer, Node: node}
}
