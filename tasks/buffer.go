package tasks

import "time"

// Buffer delays a run so that changes close together become one run. Min is the
// quiet time that a change must be followed by, Max the longest a run may wait;
// the zero Buffer waits for nothing.
type Buffer struct {
	Enabled bool
	// Min and Max are not negative; Min <= Max.
	Min, Max time.Duration
}

// Due tells when a run may start whose first and last change came at the given
// times: Min after the last, never later than Max after the first.
func (b Buffer) Due(first, last time.Time) time.Time {
	if !b.Enabled {
		return first
	}
	quiet, deadline := last.Add(b.Min), first.Add(b.Max)
	if quiet.Before(deadline) {
		return quiet
	}
	return deadline
}
