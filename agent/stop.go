package agent

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
)

// ErrKilled is returned when the last step of the stop ladder was reached: the
// process should exit at once, which ends Terraform as well.
var ErrKilled = errors.New("stopped without waiting for Terraform")

// ladder turns signals into the steps of a stop: take no more changes and let an
// apply finish; interrupt Terraform; give up. The grace running out takes the
// second step by itself; each further signal takes the next one.
type ladder struct {
	soft, hard context.CancelFunc
	grace      time.Duration
	log        hclog.Logger
}

// follow climbs the ladder until done is closed. It returns ErrKilled at the top.
func (l ladder) follow(signals <-chan struct{}, done <-chan struct{}) error {
	select {
	case <-signals:
	case <-done:
		return nil
	}
	l.log.Info("stop was asked for", "grace", l.grace.String())
	l.soft()
	grace := time.NewTimer(l.grace)
	defer grace.Stop()
	select {
	case <-signals:
	case <-grace.C:
		l.log.Warn("grace ran out", "grace", l.grace.String())
	case <-done:
		return nil
	}
	l.log.Warn("terraform was interrupted")
	l.hard()
	select {
	case <-signals:
		l.log.Error("stop was not waited for")
		return ErrKilled
	case <-done:
		return nil
	}
}
