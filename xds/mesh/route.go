package mesh

import "time"

// Whole is all of a split: weights are hundredths of a percent and add up to it.
const Whole = 10_000

// Route sends the requests that match to targets, or answers them.
type Route struct {
	// Name is for people; "" is shown as its number.
	Name  string
	Match Match
	// To are the targets with weights that add up to [Whole], of which [Mesh.Resolve]
	// gives the clusters; none with Redirect or Respond.
	To       []Leg
	Redirect *Redirect
	Respond  *Respond
	// Timeout bounds a request with its retries; 0 means 15 s, negative none.
	Timeout time.Duration
	// Idle bounds how long a stream may be silent; 0 means Envoy's default.
	Idle    time.Duration
	Retry   *Retry
	Mirror  *Mirror
	Fault   *Fault
	Rewrite *Rewrite
	Limit   *Limit
	// Request and Response change headers.
	Request, Response Headers
	Hash              []Hash
	Position          string
}

// Match tells which requests a route takes: all that is set must hold. At most one
// of Path, Prefix and Regex; none matches every path.
type Match struct {
	// Path is the whole path, Prefix its beginning, Regex (RE2) matches it whole.
	Path, Prefix, Regex string
	IgnoreCase          bool
	Methods             []string
	Headers             []Field
	Queries             []Field
	Cookies             []Field
}

// Field is a condition on a header, query parameter or cookie: at most one of
// Exact, Prefix, Suffix, Contains and Regex; none asks whether it is present.
type Field struct {
	Name                                   string
	Exact, Prefix, Suffix, Contains, Regex string
	// IgnoreCase is of the value.
	IgnoreCase bool
	// Absent turns the condition round.
	Absent bool
}

// Leg is a share of a split.
type Leg struct {
	Target Target
	// Exact takes the target as it is: the split of its service is not multiplied out.
	// Consul's chains come multiplied out already.
	Exact bool
	// Weight is in hundredths of a percent.
	Weight uint32
	// Request and Response change headers of this share alone.
	Request, Response Headers
}

// Headers changes headers: Set replaces, Add keeps what is there, Remove comes last.
type Headers struct {
	Set, Add map[string]string
	Remove   []string
}

// Empty tells whether nothing is changed.
func (h Headers) Empty() bool { return len(h.Set)+len(h.Add)+len(h.Remove) == 0 }

// Retry sends a failed request again.
type Retry struct {
	// Attempts beside the first, at least 1.
	Attempts int
	// On are Envoy's conditions, such as 5xx and connect-failure; none means
	// connect-failure, refused-stream and unavailable.
	On []string
	// Codes are answers that are tried again, 400 to 599.
	Codes []int
	// PerTry bounds each attempt; 0 means the route's timeout.
	PerTry time.Duration
}

// Mirror sends a copy of a share of requests and drops the answers.
type Mirror struct {
	Target Target
	// Share is in hundredths of a percent.
	Share uint32
}

// Fault disturbs a share of requests on purpose. Shares are hundredths of a percent.
type Fault struct {
	Delay      time.Duration
	DelayShare uint32
	// Status is what an aborted request is answered with, 200 to 599; 0 aborts none.
	Status     int
	AbortShare uint32
}

// Rewrite changes what a target sees: at most one of Prefix and Regex.
type Rewrite struct {
	// Prefix takes the place of the matched prefix or path.
	Prefix string
	// Regex (RE2) and Substitution replace in the path.
	Regex, Substitution string
	Host                string
}

// Redirect answers with another address; what is "" or 0 stays as it was.
type Redirect struct {
	Scheme, Host, Path, Prefix string
	Port                       int
	// Code is 301, 302, 303, 307 or 308; 0 means 301.
	Code int
}

// Respond answers without asking anybody.
type Respond struct {
	// Status is 200 to 599.
	Status int
	// Body is at most 4,096 bytes.
	Body string
}

// Limit lets a number of requests through per sidecar and answers the others with 429.
type Limit struct {
	// Requests are added to the bucket every Per; Burst is what it holds, 0 means
	// Requests.
	Requests, Burst int
	Per             time.Duration
}
