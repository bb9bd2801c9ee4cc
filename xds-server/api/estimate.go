package api

// TokenEstimate says how many tokens of a model one of each class of text is, from 0
// to 1,000. What is left out has its default.
type TokenEstimate struct {
	Words    *Decimal `yaml:"words,optional"`    // a run of ASCII letters; default 1
	Numbers  *Decimal `yaml:"numbers,optional"`  // up to three ASCII digits; default 1
	Marks    *Decimal `yaml:"marks,optional"`    // up to two other visible ASCII characters; default 1
	Spaces   *Decimal `yaml:"spaces,optional"`   // a run of white space, but for a single space; default 1
	Pieces   *Decimal `yaml:"pieces,optional"`   // four letters of a word beyond its first six, and the rest; default 1
	Han      *Decimal `yaml:"han,optional"`      // a Han character; default 1.1
	Letters  *Decimal `yaml:"letters,optional"`  // a letter of an alphabet other than ASCII's; default 0.5
	Wide     *Decimal `yaml:"wide,optional"`     // Kana, Hangul, punctuation and symbols above ASCII; default 1
	Emoji    *Decimal `yaml:"emoji,optional"`    // a half of a character that UTF-16 writes as two; default 1
	Messages *Decimal `yaml:"messages,optional"` // what a chat template puts around a message; default 4
	Requests *Decimal `yaml:"requests,optional"` // what is added to every prompt; default 0
}
