package plugin

import (
	"github.com/weirmesh/weir/filter/policy/evidence"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// Times of the keys that seal records, in nanoseconds.
const (
	// sealRetry is after how long a worker without a key asks again.
	sealRetry = 900_000_000
	// sealTell is how often the xds-server is told how far the chain has come, and
	// which key is in use, while there are records.
	sealTell = 10_000_000_000
	// sealRenew is how often an idle worker asks whether there is another key.
	sealRenew = 60_000_000_000
)

// sealName is the name in shared data of the xds-server's last answer: a VM that takes
// the place of one that trapped goes on at once.
const sealName = "weir.e.k"

// seal makes this worker's records a chain, and gets the keys for it from the
// xds-server: what is part of the configuration is there for everybody to read who may
// ask Envoy for it.
type seal struct {
	host   leaseHost    // whose calls are for keys
	values *redact.Keys // get the key for values
	chain  evidence.Chain

	keys    evidence.Keys
	askedAt int64  // 0: never
	waits   bool   // for an answer
	told    uint64 // how far the chain had come then
	request [callHeader + evidence.AskSize]byte
	answer  [evidence.AnswerSize]byte
	record  []byte // the record that is being sealed; used again

	sealed, unsealed, failures uint64 // for metrics
}

// start begins the chain of this VM.
func (s *seal) start(host leaseHost, values *redact.Keys, epoch uint64, memory []byte) {
	s.host, s.values, s.record = host, values, memory
	s.chain.Start(epoch)
}

// ready says whether records are sealed with a key.
func (s *seal) ready() bool {
	if s.chain.Key() == evidence.NoKey {
		s.inherit()
	}
	return s.chain.Key() != evidence.NoKey
}

// turn gets the key if there is none, and tells the xds-server from time to time how
// far the chain has come.
func (s *seal) turn(nowNs int64) {
	if !s.due(nowNs) {
		return
	}
	head := s.chain.Head()
	message := evidence.AppendAsk(s.request[callHeader:callHeader], head, s.chain.Key())
	s.askedAt, s.waits, s.told = nowNs, true, head.Seq
	if err := s.host.call(frame(s.request[:], len(message))); err != nil {
		s.waits = false
		s.failures++
	}
}

func (s *seal) due(nowNs int64) bool {
	since := nowNs - s.askedAt
	switch {
	case s.askedAt == 0 || since < 0:
		return true
	case !s.ready():
		return since >= sealRetry
	case s.waits:
		return since >= leaseLost
	case s.chain.Head().Seq != s.told:
		return since >= sealTell
	}
	return since >= sealRenew
}

// inherit takes the keys that another VM of this Envoy has got.
func (s *seal) inherit() {
	value, _, found, err := s.host.get(sealName)
	if err == nil && found {
		s.use(value)
	}
}

// use puts the keys of an answer in force.
func (s *seal) use(answer []byte) bool {
	before := s.keys.Number
	if err := evidence.ReadAnswer(answer, &s.keys); err != nil {
		return false
	}
	if s.keys.Number != before {
		s.chain.SetKey(s.keys.Number, s.keys.Chain[:])
		s.values.Set(s.keys.Values[:])
	}
	return true
}

// answered takes the answer to the last call, nil if there is none. What cannot be kept
// for other VMs they ask for themselves.
func (s *seal) answered(body []byte) {
	s.waits = false
	message, err := unframe(body)
	if err != nil || !s.use(message) {
		s.failures++
		return
	}
	copy(s.answer[:], message) // a get may overwrite it
	if value, version, found, err := s.host.get(sealName); err == nil && string(value) != string(s.answer[:]) {
		_, _ = s.host.set(sealName, s.answer[:], version, found)
	}
}

// close seals the record that was appended to open.
func (s *seal) close(record []byte) []byte {
	if s.ready() {
		s.sealed++
	} else {
		s.unsealed++
	}
	s.record = s.chain.Seal(record)
	return s.record
}

// open is empty memory for a record.
func (s *seal) open() []byte { return s.record[:0] }
