package oip

// message is a type of message of the protocol. Those that nothing is known of are
// never entered.
type message uint8

const (
	empty message = iota
	named
	request
	answer
	entry    // of a map of parameters
	value    // InferParameter
	tensor   // InferInputTensor, InferOutputTensor
	contents // InferTensorContents
	wanted   // InferRequestedOutputTensor
)

// messages by Kind.
var messages = [...]message{Empty: empty, Named: named, Request: request, Answer: answer}

// action is what is done with a field.
type action uint8

const (
	skip action = iota

	// Numbers.
	takeBool
	takeInt
	takeUint
	takeDouble

	// Texts, in the order of Field.
	readModel
	readVersion
	readText

	readKey
	readString
	readType
	readRaw

	// Messages, in the order of inner.
	enterEntry
	enterValue
	enterTensor
	enterContents
	enterWanted
)

// inner are the messages that are entered.
var inner = [...]message{entry, value, tensor, contents, wanted}

// rule says what is done with a field of a message; once is a bit for those that may
// stand there once: they are not repeated, or of one another's place (oneof).
type rule struct {
	message message
	field   uint8
	wire    uint8
	action  action
	once    uint8
}

// rules are the fields that matter, as numbered in the protocol's definition:
// https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto
var rules = [...]rule{
	{named, 1, wireBytes, readModel, 1},
	{named, 2, wireBytes, readVersion, 2},
	{request, 1, wireBytes, readModel, 1},
	{request, 2, wireBytes, readVersion, 2},
	{request, 4, wireBytes, enterEntry, 0},
	{request, 5, wireBytes, enterTensor, 0},
	{request, 6, wireBytes, enterWanted, 0},
	{request, 7, wireBytes, readRaw, 0},
	{answer, 4, wireBytes, enterEntry, 0},
	{answer, 5, wireBytes, enterTensor, 0},
	{answer, 6, wireBytes, readRaw, 0},
	{entry, 1, wireBytes, readKey, 1},
	{entry, 2, wireBytes, enterValue, 2},
	{value, 1, wireVarint, takeBool, 1},
	{value, 2, wireVarint, takeInt, 1},
	{value, 3, wireBytes, readString, 1},
	{value, 4, wireFixed64, takeDouble, 1},
	{value, 5, wireVarint, takeUint, 1},
	{tensor, 2, wireBytes, readType, 1},
	{tensor, 4, wireBytes, enterEntry, 0},
	{tensor, 5, wireBytes, enterContents, 0},
	{wanted, 2, wireBytes, enterEntry, 0},
	{contents, 8, wireBytes, readText, 0},
}

// action says what is done with a field. One of a type that the protocol does not
// give it is skipped, as every parser does.
func (m message) action(field uint64, wire uint8) (do action, once uint8) {
	for i := range rules {
		r := &rules[i]
		if r.message == m && uint64(r.field) == field && r.wire == wire {
			return r.action, r.once
		}
	}
	return skip, 0
}
