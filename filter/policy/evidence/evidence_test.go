package evidence_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/evidence"
)

var key = []byte("0123456789abcdef0123456789abcdef")

// chain makes records of an epoch, under the key from the third on.
func chain(t testing.TB, n int) [][]byte {
	t.Helper()
	var c evidence.Chain
	c.Start(0xABCDEF)
	var records [][]byte
	for i := range n {
		if i == 2 {
			c.SetKey(7, key)
		}
		record := c.Seal([]byte(`{"outcome":"forward"`))
		if !json.Valid(record) {
			t.Fatalf("%s is no JSON", record)
		}
		records = append(records, record)
	}
	if h := c.Head(); h.Seq != uint64(n) || h.Epoch != 0xABCDEF {
		t.Fatalf("the head is %+v", h)
	}
	return records
}

func TestChain(t *testing.T) {
	prev := evidence.Code{}
	for i, record := range chain(t, 5) {
		l, covered, err := evidence.Read(record)
		if err != nil {
			t.Fatal(err)
		}
		secret, number := []byte(nil), uint32(evidence.NoKey)
		if i >= 2 {
			secret, number = key, 7
		}
		own := hmac.New(sha256.New, secret)
		own.Write(covered)
		if l.Epoch != 0xABCDEF || l.Seq != uint64(i+1) || l.Key != number || l.Prev != prev || !bytes.Equal(l.Code[:], own.Sum(nil)[:16]) ||
			evidence.CodeOf(secret, covered) != l.Code {
			t.Errorf("record %d: %+v of %s", i, l, record)
		}
		if want := string(covered) + `,"mac":"` + hex.EncodeToString(l.Code[:]) + `"}}`; want != string(record) {
			t.Errorf("%s is not %s", record, want)
		}
		prev = l.Code
	}
}

// Every byte of a record is covered by its code or is its code.
func TestEveryByteCounts(t *testing.T) {
	record := chain(t, 3)[2]
	for i := range record {
		for bit := range 8 {
			altered := bytes.Clone(record)
			altered[i] ^= 1 << bit
			if l, covered, err := evidence.Read(altered); err == nil && l.Key == 7 && evidence.CodeOf(key, covered) == l.Code {
				t.Fatalf("%s passes for %s", altered, record)
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := string(chain(t, 1)[0])
	for name, record := range map[string]string{
		"nothing": "", "no chain": `{"outcome":"forward"}`, "cut off": good[:len(good)-1], "more behind": good + " ",
		"number 0": strings.Replace(good, `"seq":1`, `"seq":0`, 1), "leading zero": strings.Replace(good, `"seq":1`, `"seq":01`, 1),
		"no number": strings.Replace(good, `"seq":1`, `"seq":`, 1), "too large": strings.Replace(good, `"seq":1`, `"seq":99999999999999999999`, 1),
		"upper case": strings.Replace(good, "abcdef", "ABCDEF", 1), "key too large": strings.Replace(good, `"key":0`, `"key":4294967296`, 1),
		"too long": `{"a":"` + strings.Repeat("x", evidence.MaxRecord) + `"` + good[len(`{"outcome":"forward"`):],
	} {
		if _, _, err := evidence.Read([]byte(record)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

// A text in the record cannot pass for its place in the chain.
func TestNoTextIsAChain(t *testing.T) {
	var c evidence.Chain
	c.Start(1)
	inner, err := json.Marshal(string(chain(t, 1)[0]))
	if err != nil {
		t.Fatal(err)
	}
	record := c.Seal([]byte(`{"name":` + string(inner)))
	if l, _, err := evidence.Read(record); err != nil || l.Epoch != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}

func FuzzRead(f *testing.F) {
	for _, record := range chain(f, 3) {
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		l, covered, err := evidence.Read(record)
		if err != nil {
			return
		}
		if len(covered) >= len(record) || l.Seq == 0 {
			t.Fatalf("%+v, %d of %d bytes", l, len(covered), len(record))
		}
		if want := string(covered) + `,"mac":"` + hex.EncodeToString(l.Code[:]) + `"}}`; want != string(record) {
			t.Errorf("%q is not %q", record, want)
		}
	})
}

func TestWire(t *testing.T) {
	head := evidence.Head{Epoch: 5, Seq: 6, Code: evidence.Code{7}}
	ask := evidence.AppendAsk(nil, head, 8)
	if got, number, err := evidence.ReadAsk(ask); err != nil || got != head || number != 8 || len(ask) != evidence.AskSize {
		t.Errorf("%+v, %d, %v", got, number, err)
	}
	keys := evidence.Keys{Number: 3, Chain: [32]byte{1}, Values: [32]byte{2}}
	answer := evidence.AppendAnswer(nil, &keys)
	var got evidence.Keys
	if err := evidence.ReadAnswer(answer, &got); err != nil || got != keys || len(answer) != evidence.AnswerSize {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range evidence.AskSize {
		if _, _, err := evidence.ReadAsk(ask[:n]); err == nil {
			t.Errorf("an ask of %d bytes is read", n)
		}
	}
	for n := range evidence.AnswerSize {
		if err := evidence.ReadAnswer(answer[:n], &got); err == nil {
			t.Errorf("an answer of %d bytes is read", n)
		}
	}
	if err := evidence.ReadAnswer(evidence.AppendAnswer(nil, &evidence.Keys{}), &got); err == nil || got != keys {
		t.Errorf("an answer with the empty key: %v, %+v", err, got)
	}
}

func TestSealAllocatesNothing(t *testing.T) {
	var c evidence.Chain
	c.Start(1)
	b := make([]byte, 0, 1<<10)
	if n := testing.AllocsPerRun(100, func() { c.Seal(append(b, `{"a":1`...)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
