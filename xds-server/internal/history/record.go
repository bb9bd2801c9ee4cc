package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// Records and the pin are JSON behind a first line that says what they are and
// what the rest hashes to, so that a torn file is known as such.
const (
	recordHead = "weir-revision 1 "
	pinHead    = "weir-pin 1 "
)

// record is a revision as it is written: its documents by shard.
type record struct {
	Number     uint64            `json:"number"`
	Time       time.Time         `json:"time"`
	Cause      string            `json:"cause,omitempty"`
	By         string            `json:"by,omitempty"`
	RollbackOf uint64            `json:"rollbackOf,omitempty"`
	Versions   map[string]string `json:"versions,omitempty"`
	Shards     map[place]string  `json:"shards,omitempty"`
}

// place numbers a shard, 0 to 255; two hexadecimal digits in JSON.
type place uint8

// MarshalText writes two hexadecimal digits.
func (p place) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%02x", uint8(p)), nil
}

// UnmarshalText reads what MarshalText writes.
func (p *place) UnmarshalText(text []byte) error {
	var at [1]byte
	if len(text) != 2 {
		return fmt.Errorf("shard %q is not two hexadecimal digits", text)
	}
	if _, err := hex.Decode(at[:], text); err != nil {
		return fmt.Errorf("shard %q is not two hexadecimal digits", text)
	}
	*p = place(at[0])
	return nil
}

// revision returns what the record says, without documents.
func (r record) revision() Revision {
	return Revision{Number: r.Number, Time: r.Time, Cause: r.Cause, By: r.By, RollbackOf: r.RollbackOf, Versions: maps.Clone(r.Versions)}
}

func encodeRecord(r record) ([]byte, error) { return encode(recordHead, r) }

func decodeRecord(data []byte) (record, error) {
	body, err := unseal(recordHead, data)
	if err != nil {
		return record{}, err
	}
	var r record
	if err := json.Unmarshal(body, &r); err != nil {
		return record{}, fmt.Errorf("decode: %w", err)
	}
	if r.Number == 0 {
		return record{}, errors.New("it has no number")
	}
	for at, hash := range r.Shards {
		if !isHash(hash) { // it will be part of a path
			return record{}, fmt.Errorf("shard %02x has %q for a hash", uint8(at), hash)
		}
	}
	return r, nil
}

type pinRecord struct {
	Number uint64 `json:"number"`
	By     string `json:"by,omitempty"`
}

func encodePin(p Pin) ([]byte, error) { return encode(pinHead, pinRecord(p)) }

func decodePin(data []byte) (Pin, error) {
	body, err := unseal(pinHead, data)
	if err != nil {
		return Pin{}, err
	}
	var p pinRecord
	if err := json.Unmarshal(body, &p); err != nil {
		return Pin{}, fmt.Errorf("decode: %w", err)
	}
	if p.Number == 0 {
		return Pin{}, errors.New("it has no number")
	}
	return Pin(p), nil
}

func seal(head string, body []byte) []byte {
	sum := sha256.Sum256(body)
	return append([]byte(head+hex.EncodeToString(sum[:])+"\n"), body...)
}

func unseal(head string, data []byte) ([]byte, error) {
	line, body, found := bytes.Cut(data, []byte("\n"))
	sum, ours := bytes.CutPrefix(line, []byte(head))
	if !ours || !found {
		return nil, fmt.Errorf("it does not begin with %q: torn, or of another program or version", head)
	}
	own := sha256.Sum256(body)
	if hex.EncodeToString(own[:]) != string(sum) {
		return nil, errors.New("it is torn: its content has another hash than its first line says")
	}
	return body, nil
}

// fileName has as many digits as a number can, so that names sort as numbers.
func fileName(number uint64) string { return fmt.Sprintf("%020d", number) }

func fileNumber(name string) (uint64, error) {
	number, err := strconv.ParseUint(name, 10, 64)
	if err != nil || number == 0 || number == 1<<64-1 || fileName(number) != name {
		return 0, errors.New("its name is not a revision's")
	}
	return number, nil
}

// isHash reports whether name is a SHA-256 in lower-case hexadecimal digits.
func isHash(name string) bool {
	sum, err := hex.DecodeString(name)
	return err == nil && len(sum) == sha256.Size && hex.EncodeToString(sum) == name
}

// encode returns the file that holds a value.
func encode(head string, value any) ([]byte, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode a file of the history: %w", err)
	}
	return seal(head, body), nil
}
