package redact

// Holding says whether bytes are held back that Bytes was given: they may still become
// a part of a match.
func (r *Redactor) Holding() bool { return r.open }

// Held returns how many raw bytes are held back.
func (r *Redactor) Held() int { return r.held }
