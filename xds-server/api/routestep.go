package api

// RouteStep is a step of a policy: at most one guard, and one way to decide. A step
// that decides nothing leaves the request to the next one.
type RouteStep struct {
	// Name stands in records and explanations; unique in the route.
	Name Name `yaml:"name"`
	// When is a condition; where it does not hold, the step is passed over; default: it always holds.
	When *string `yaml:"when,optional"`

	// Version decides for a version.
	Version *VersionName `yaml:"version,optional"`
	// Split decides for the route's split (or version), past all later steps.
	Split bool `yaml:"split,optional"`
	// Then is a list of steps of its own. Where none of them decides, the next step here is asked.
	Then []RouteStep `yaml:"then,optional"`

	Header     *HeaderStrategy     `yaml:"header,optional"`
	Weight     *WeightStrategy     `yaml:"weight,optional"`
	UserHash   *UserHashStrategy   `yaml:"userHash,optional"`
	Colour     *ColourStrategy     `yaml:"colour,optional"`
	AB         *ABStrategy         `yaml:"ab,optional"`
	TimeWindow *TimeWindowStrategy `yaml:"timeWindow,optional"`
	Variant    *VariantStrategy    `yaml:"variant,optional"`
}

// HeaderStrategy chooses by the values of a request header; others decide nothing.
type HeaderStrategy struct {
	Name   HeaderName     `yaml:"name"`
	Values []ValueVersion `yaml:"values"`
}

// ValueVersion is the version for a value.
type ValueVersion struct {
	Value   HeaderValue `yaml:"value"`
	Version VersionName `yaml:"version"`
}

// WeightStrategy spreads users over versions as the route's split does, by the same
// hash: a user who is in the first 10 % here is in the first 10 % there.
type WeightStrategy struct {
	// Versions share the users. Weights are percent and add up to 100.
	Versions []SplitEntry `yaml:"versions"`
}

// UserHashStrategy takes the users whose hash falls into the first slots.
type UserHashStrategy struct {
	// Salt seeds the hash; default: the route's.
	Salt *string `yaml:"salt,optional"`
	// Below is how many slots are taken.
	Below int `yaml:"below"`
	// Of is how many slots there are; default: 100.
	Of      *int        `yaml:"of,optional"`
	Version VersionName `yaml:"version"`
}

// ColourStrategy chooses by the colour of a call chain: the header x-NAME, else the
// query parameter NAME, else the member NAME of the header baggage. The colour goes
// on to the upstream in header and baggage.
type ColourStrategy struct {
	// Name of the colour; default: colour.
	Name     *Name           `yaml:"name,optional"`
	Versions []ColourVersion `yaml:"versions"`
}

// ColourVersion is the version for a colour.
type ColourVersion struct {
	Colour  HeaderValue `yaml:"colour"`
	Version VersionName `yaml:"version"`
}

// ABStrategy is an experiment: it spreads users over arms by a hash of their own,
// independent of the split and of other experiments.
type ABStrategy struct {
	// By is what is spread; default: user. A request without it is not in the experiment, but for a user, who has a stand-in.
	By *string `yaml:"by,optional"`
	// Salt seeds the hash; default: the step's name.
	Salt *string `yaml:"salt,optional"`
	// Arms share the users. Weights are percent and add up to 100.
	Arms []SplitEntry `yaml:"arms"`
}

// TimeWindowStrategy decides for a version in a span of time.
type TimeWindowStrategy struct {
	// From and To are times of day such as 22:00, the second not included; a window that ends before it begins passes midnight.
	// Default: the whole day.
	From *string `yaml:"from,optional"`
	To   *string `yaml:"to,optional"`
	// Days are those on which a window begins: sun, mon, tue, wed, thu, fri, sat; default: all.
	Days []string `yaml:"days,optional"`
	// Offset is what both are ahead of UTC, such as +08:00; default: Z.
	Offset *string `yaml:"offset,optional"`
	// After and Before bound the window altogether: dates such as 2026-11-01T00:00:00Z.
	After   *string     `yaml:"after,optional"`
	Before  *string     `yaml:"before,optional"`
	Version VersionName `yaml:"version"`
}

// VariantStrategy obeys a client that asks for a hardware variant by the header
// X-Model-Profile: it gets the first version whose name ends in - and the variant.
type VariantStrategy struct {
	// Versions are the ones to choose from; default: all of the model that have a variant.
	Versions []VersionName `yaml:"versions,optional"`
}
