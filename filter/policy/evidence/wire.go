package evidence

import "encoding/binary"

// A worker asks the xds-server for keys, and says how far its chain has come: so that
// records that never arrive show even where no later one follows. Both messages are
// fixed, their numbers in little endian:
//
//	ask     version 4, key 4 (the number of the one in use), epoch 8, seq 8, code 16
//	answer  version 4, key 4 (its number), key for chains 32, key for values 32
const (
	wireVersion = 1
	// AskSize is the length of an ask, AnswerSize that of an answer, in bytes.
	AskSize    = 4 + 4 + 8 + 8 + CodeSize
	AnswerSize = 4 + 4 + 2*KeySize
)

// ErrWire says that a message is none of this version.
const ErrWire = Error("the message is not one of this version: the filter and the xds-server are of different releases")

// AppendAsk appends what a worker asks.
func AppendAsk(b []byte, h Head, key uint32) []byte {
	b = binary.LittleEndian.AppendUint32(b, wireVersion)
	b = binary.LittleEndian.AppendUint32(b, key)
	b = binary.LittleEndian.AppendUint64(b, h.Epoch)
	b = binary.LittleEndian.AppendUint64(b, h.Seq)
	return append(b, h.Code[:]...)
}

// ReadAsk reads what AppendAsk writes.
func ReadAsk(b []byte) (h Head, key uint32, err error) {
	if len(b) != AskSize || binary.LittleEndian.Uint32(b) != wireVersion {
		return Head{}, 0, ErrWire
	}
	return Head{
		Epoch: binary.LittleEndian.Uint64(b[8:]), Seq: binary.LittleEndian.Uint64(b[16:]), Code: Code(b[24:]),
	}, binary.LittleEndian.Uint32(b[4:]), nil
}

// Keys are what an xds-server hands to an Envoy.
type Keys struct {
	Number        uint32 // not NoKey
	Chain, Values [KeySize]byte
}

// AppendAnswer appends an answer.
func AppendAnswer(b []byte, k *Keys) []byte {
	b = binary.LittleEndian.AppendUint32(b, wireVersion)
	b = binary.LittleEndian.AppendUint32(b, k.Number)
	return append(append(b, k.Chain[:]...), k.Values[:]...)
}

// ReadAnswer reads what AppendAnswer writes into k. After an error k is as before.
func ReadAnswer(b []byte, k *Keys) error {
	if len(b) != AnswerSize || binary.LittleEndian.Uint32(b) != wireVersion || binary.LittleEndian.Uint32(b[4:]) == NoKey {
		return ErrWire
	}
	k.Number = binary.LittleEndian.Uint32(b[4:])
	copy(k.Chain[:], b[8:])
	copy(k.Values[:], b[8+KeySize:])
	return nil
}
