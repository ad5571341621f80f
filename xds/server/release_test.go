package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAStopEndsStreamsOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Spread: 3 * time.Second})
		began := time.Now()
		var ended []time.Duration
		for range 3 {
			s.streams[&stream{}] = func() { ended = append(ended, time.Since(began)) }
		}
		s.release()
		if diff := cmp.Diff([]time.Duration{0, time.Second, 2 * time.Second}, ended); diff != "" {
			t.Error(diff)
		}
	})
}
