package tasks

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBuffer(t *testing.T) {
	start := time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	b := Buffer{Enabled: true, Min: 5 * time.Second, Max: 20 * time.Second}
	tests := map[string]struct {
		buffer Buffer
		last   time.Duration
		want   time.Duration
	}{
		"one change waits for the quiet time":          {b, 0, 5 * time.Second},
		"a further change begins the quiet time anew":  {b, 3 * time.Second, 8 * time.Second},
		"the deadline counts from the first change":    {b, 19 * time.Second, 20 * time.Second},
		"a disabled buffer waits for nothing":          {Buffer{Min: time.Hour, Max: time.Hour}, time.Minute, 0},
		"a buffer of zero waits for nothing after all": {Buffer{Enabled: true}, 0, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.buffer.Due(start, start.Add(tc.last)).Sub(start); got != tc.want {
				t.Errorf("due after %v, want %v", got, tc.want)
			}
		})
	}
}

func TestBufferLaws(t *testing.T) {
	start := time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		b := Buffer{Enabled: true, Min: time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "min"))}
		b.Max = b.Min + time.Duration(rapid.Int64Range(0, 1e11).Draw(t, "more"))
		last, due := start, b.Due(start, start)
		for range rapid.IntRange(0, 20).Draw(t, "changes") {
			last = last.Add(time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "gap")))
			next := b.Due(start, last)
			if next.Before(due) {
				t.Fatalf("a further change brought the run forward from %v to %v", due, next)
			}
			due = next
		}
		if due.After(start.Add(b.Max)) {
			t.Fatalf("run is due %v after the first change, more than %v", due.Sub(start), b.Max)
		}
		if quiet := last.Add(b.Min); due.After(quiet) {
			t.Fatalf("run is due at %v, later than the quiet time needs (%v)", due, quiet)
		}
	})
}
