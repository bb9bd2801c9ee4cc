package lease

import "encoding/binary"

// What an Envoy sends and gets, once a second or sooner. All words are little endian.
//
//	request: version uint32 | count uint32 | instance uint64 | entries
//	entry:   key uint64 | demand int64 | share uint32 | fill uint32
//	answer:  version uint32 | count uint32 | entries
//	entry:   key uint64 | share uint32 | fill uint32
//
// A request has the shares that are in force, the default's first, and what was
// wanted since the last request, in micro-units. An entry with the share Unleased
// is of a bucket that has none of its own yet. An answer has all shares, ordered by
// key, the default's first; what it does not name has no share of its own any more. The
// default's fill in an answer is how soon to ask again, in milliseconds; 0: in a second.
const (
	// Unleased stands for the share of a bucket that has none of its own.
	Unleased = 1<<32 - 1
	// MaxRequest and MaxAnswer are the largest sizes in bytes.
	MaxRequest = requestHeader + (1+2*Keys)*requestEntry
	MaxAnswer  = answerHeader + (1+Keys)*answerEntry

	requestHeader = 16
	requestEntry  = 24
	answerHeader  = 8
	answerEntry   = 16
)

// AppendRequest appends what to tell the xds-server.
func AppendRequest(b []byte, t Table, d Demand) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, t.Instance())
	count := uint32(0)
	for i := range t.count() {
		e := t.get(i)
		amount, fill := int64(0), e.fill
		if e.key != Default {
			if wanted, said := d.of(e.key); said != 0 {
				amount, fill = wanted, said
			}
		}
		b = appendEntry(b, e.key, amount, e.share, fill)
		count++
	}
	for at := 0; at < DemandSize; at += demandSize {
		key, amount, fill := d.at(at)
		if key == 0 {
			break
		}
		if !t.Has(key) {
			b = appendEntry(b, key, amount, Unleased, fill)
			count++
		}
	}
	binary.LittleEndian.PutUint32(b[start+4:], count)
	return b
}

func appendEntry(b []byte, key uint64, amount int64, share, fill uint32) []byte {
	b = binary.LittleEndian.AppendUint64(b, key)
	b = binary.LittleEndian.AppendUint64(b, uint64(amount))
	b = binary.LittleEndian.AppendUint32(b, share)
	return binary.LittleEndian.AppendUint32(b, fill)
}

// Renew makes t what follows on another table, before, by an answer. The two do not
// share memory. After an error t is as it was.
func (t Table) Renew(before Table, answer []byte, nowNs int64) error {
	count, err := check(answer)
	if err != nil {
		return err
	}
	clear(t)
	copy(t, before[:headerSize])
	for i := range count {
		e := answer[answerHeader+i*answerEntry:]
		key, share, fill := binary.LittleEndian.Uint64(e), binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:])
		if key == Default {
			fill = 0 // see Again
		}
		t.put(i, before.lookup(key).renewed(key, share, fill, nowNs))
	}
	t.setCount(count)
	return nil
}

// Again is how soon an answer that Renew has taken wants to be asked for another, in
// milliseconds, or 0 if that has its usual time.
func Again(answer []byte) uint32 { return binary.LittleEndian.Uint32(answer[answerHeader+12:]) }

// check returns the number of entries of an answer.
func check(answer []byte) (int, error) {
	if len(answer) < answerHeader+answerEntry || len(answer) > MaxAnswer {
		return 0, errSize
	}
	if binary.LittleEndian.Uint32(answer) != version {
		return 0, errVersion
	}
	count := (len(answer) - answerHeader) / answerEntry
	if uint64(binary.LittleEndian.Uint32(answer[4:])) != uint64(count) || len(answer) != answerHeader+count*answerEntry {
		return 0, errSize
	}
	last := uint64(0)
	for i := range count {
		e := answer[answerHeader+i*answerEntry:]
		key := binary.LittleEndian.Uint64(e)
		if (i == 0) != (key == Default) || i > 0 && key <= last {
			return 0, errOrder
		}
		if binary.LittleEndian.Uint32(e[8:]) > Whole {
			return 0, errShare
		}
		last = key
	}
	return count, nil
}
