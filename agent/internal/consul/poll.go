package consul

import (
	"context"
	"math/rand/v2"
	"time"

	"patchbay/tasks/catalog"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"
)

const (
	// readsPerSecond bounds the requests of one query in the long run; a burst of
	// readsAtOnce is not held up, so that a change right after a change is seen at
	// once.
	readsPerSecond, readsAtOnce = 2, 5
	// rereadEvery is how often a plain read checks what the blocking reads told.
	rereadEvery = 5 * time.Minute
)

// poll follows one query. One goroutine owns it.
type poll struct {
	client *Client
	entry  *entry
	query  catalog.Query
	cursor cursor
	// good is the last good view; nil before the first.
	good *catalog.View
	// hidden: the last plain read that was taken lacked results already.
	hidden bool
	limit  *rate.Limiter
	pause  *backoff.ExponentialBackOff
	// seat is one of seats, nil while none is asked for.
	seat  *seat
	seats *seats
	// reread is when the next plain read is due.
	reread  time.Time
	failing bool
	// stuck: the newest doubt could not be settled. The view stays refused while
	// that is tried again.
	stuck bool
}

func newPoll(c *Client, e *entry) *poll {
	return &poll{client: c, entry: e, query: e.query, seats: c.seatsOf(e.query), cursor: cursor{sags: e.query.Kind == catalog.KVPrefix}, limit: rate.NewLimiter(readsPerSecond, readsAtOnce), pause: newPause()}
}

// run reads until ctx ends. An error is never the end: it is told and tried again.
func (p *poll) run(ctx context.Context) {
	defer p.stand()
	for ctx.Err() == nil {
		err := p.step(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			p.healed()
			continue
		}
		p.failed(err)
		if sleep(ctx, p.pause.NextBackOff()) != nil {
			return
		}
	}
}

// step makes one read and takes it in.
func (p *poll) step(ctx context.Context) error {
	if err := p.limit.Wait(ctx); err != nil {
		return err
	}
	if p.cursor.wait == 0 || !time.Now().Before(p.reread) {
		return p.readPlain(ctx)
	}
	if p.seat == nil {
		p.seat = p.seats.ask()
	}
	if p.seated() {
		return p.readBlocking(ctx)
	}
	timer := time.NewTimer(jitter(p.seats.turn()))
	defer timer.Stop()
	select {
	case <-p.seat.ready:
		return p.readBlocking(ctx)
	case <-timer.C:
		return p.readPlain(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *poll) readBlocking(ctx context.Context) error {
	wait := longWait
	if p.seats.waiting() > 0 {
		wait = sharedWait
	}
	got, err := p.client.blocking(ctx, p.query, p.cursor.wait, wait)
	if err != nil {
		return err
	}
	if p.seats.waiting() > 0 {
		p.stand()
	}
	epoch := p.cursor.epoch
	next, take := p.cursor.blocked(got.view.Index)
	p.cursor = next
	p.noteEpoch(epoch)
	if !take {
		return nil
	}
	return p.settle(ctx, got)
}

func (p *poll) readPlain(ctx context.Context) error {
	got, err := p.client.plain(ctx, p.query, false)
	if err != nil {
		return err
	}
	if p.seated() && p.good != nil && p.cursor.wait != 0 && got.view.Digest != p.good.Digest {
		p.client.log.Warn("watch had missed a change", "query", p.query.String())
	}
	epoch := p.cursor.epoch
	p.cursor = p.cursor.plain(got.view.Index)
	p.noteEpoch(epoch)
	p.reread = time.Now().Add(jitter(rereadEvery))
	if err := p.settle(ctx, got); err != nil {
		return err
	}
	p.hidden = got.hidden
	return nil
}

func (p *poll) noteEpoch(before int) {
	if p.cursor.epoch != before {
		p.client.log.Warn("consul index went backwards", "query", p.query.String(), "epoch", p.cursor.epoch)
	}
}

func (p *poll) seated() bool {
	if p.seat == nil {
		return false
	}
	select {
	case <-p.seat.ready:
		return true
	default:
		return false
	}
}

// stand gives the seat back, or the place in the queue.
func (p *poll) stand() {
	if p.seat != nil {
		p.seats.leave(p.seat)
		p.seat = nil
	}
}

func (p *poll) healed() {
	p.pause.Reset()
	if p.failing {
		p.failing = false
		p.client.log.Info("query answered again", "query", p.query.String())
	}
}

// failed tells watchers that the last good view is not backed by Consul now.
func (p *poll) failed(err error) {
	p.stand()
	p.cursor = p.cursor.afresh()
	p.publish(catalog.Refused, err, err.Error())
	if p.failing {
		p.client.log.Debug("query failed again", "query", p.query.String(), "err", err)
		return
	}
	p.failing = true
	p.client.log.Warn("query failed, its last good answer was kept", "query", p.query.String(), "err", err)
}

// publish shows the last good view under another verdict.
func (p *poll) publish(trust catalog.Trust, err error, evidence ...string) {
	if p.good == nil {
		p.client.hub.publish(p.entry, nil, err)
		return
	}
	v := *p.good
	v.Verdict = catalog.Verdict{Trust: trust, Evidence: evidence}
	p.client.hub.publish(p.entry, &v, err)
}

// jitter spreads d by a fifth to both sides, so that queries do not march in step.
func jitter(d time.Duration) time.Duration {
	return d - d/5 + time.Duration(rand.Int64N(int64(d)*2/5+1))
}
