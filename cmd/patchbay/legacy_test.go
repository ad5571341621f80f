package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

func TestAStopUnderTheLegacyNameTakesTenSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		signals, stopped := make(chan struct{}), false
		began := time.Now()
		go func() { signals <- struct{}{} }()
		err := hurried(hclog.New(&hclog.LoggerOptions{Output: &log}), signals, &stopped, func(stop <-chan struct{}) error {
			<-stop
			if d := time.Since(began); d != 0 {
				t.Errorf("the first signal came after %s", d)
			}
			<-stop
			if d := time.Since(began); d != 10*time.Second {
				t.Errorf("the second one came after %s", d)
			}
			return nil
		})
		if err != nil || !stopped {
			t.Errorf("got %v, stopped: %v", err, stopped)
		}
		if n := strings.Count(log.String(), "signal received to initiate graceful shutdown"); n != 1 {
			t.Errorf("the signal was logged %d times", n)
		}
	})
}

func TestWorkWithoutASignalIsNotStopped(t *testing.T) {
	stopped := false
	if err := hurried(hclog.NewNullLogger(), nil, &stopped, func(<-chan struct{}) error { return nil }); err != nil || stopped {
		t.Errorf("got %v, stopped: %v", err, stopped)
	}
}

func TestCausesAreWrappedAtSpaces(t *testing.T) {
	for sentence, c := range map[string]struct{ text, want string }{
		"a short text stays":             {"one two", "one two"},
		"a line breaks where it is full": {"one two three four", "one two\nthree four"},
		"a full line stays":              {"1234567890", "1234567890"},
		"a long word stays whole":        {"a 12345678901 b", "a\n12345678901\nb"},
		"lines stay lines":               {"one\ntwo\n", "one\ntwo\n"},
		"indentation stays":              {"    one two", "    one\ntwo"},
		"characters count, not bytes":    {"ééééé éééé", "ééééé éééé"},
		"nothing stays nothing":          {"", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(c.want, wrap(c.text, 10)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
