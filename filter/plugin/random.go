package plugin

// splitmix64 spreads requests without a user over versions. It is no secret:
// nothing is guarded by it.
// https://dl.acm.org/doi/10.1145/2714064.2660195 (Steele, Lea, Flood)
type splitmix64 struct {
	state uint64
}

func (s *splitmix64) next() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
