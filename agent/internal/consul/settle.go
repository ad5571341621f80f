package consul

import (
	"context"
	"errors"
	"fmt"

	"patchbay/tasks/catalog"
)

// settle takes an answer in: as the new good view, or, where it lost so much that
// it must be confirmed, after consistent reads agreed. A read that disagrees is
// judged in its place.
func (p *poll) settle(ctx context.Context, got answer) error {
	for {
		got.view.Epoch = p.cursor.epoch
		switch {
		case p.good == nil:
			return p.first(ctx, got)
		case got.view.Digest == p.good.Digest:
			p.refresh(got)
			return nil
		}
		doubt := catalog.Judge(p.good, got.view, nil)
		if doubt.Reason == "" {
			p.accept(got)
			return nil
		}
		p.client.log.Warn("answer was doubted", "query", p.query.String(), "reason", doubt.Reason)
		if !p.stuck {
			p.publish(catalog.Suspicious, nil, doubt.Reason)
		}
		newest, agreed, err := p.confirm(ctx, got.view)
		p.cursor = p.cursor.afresh()
		if err != nil {
			p.stuck = true
			return fmt.Errorf("confirm that %s: %w", doubt.Reason, err)
		}
		if agreed {
			p.accept(newest)
			return nil
		}
		p.client.log.Warn("answer was contradicted by a consistent read", "query", p.query.String(), "reason", doubt.Reason)
		got = newest
	}
}

var errHidden = errors.New("results are hidden from the token by Consul; the answer was not taken")

var errAnonymous = errors.New("no token is configured and Consul denies by default, so it may hide anything without a word; " +
	"the answer was not taken")

// lacking tells what is missing and what to do.
func lacking(err error, q catalog.Query) error {
	return fmt.Errorf("%w; give a token with %s", err, rights(q))
}

// first takes the first answer, with which nothing can be compared. An empty one
// tells nothing where a lack of rights may have emptied it, and an empty list is
// taken only after a consistent read agreed: it may be what a guard lets a last
// key go by.
func (p *poll) first(ctx context.Context, got answer) error {
	if got.view.Empty() {
		if err := p.believe(got); err != nil {
			return fmt.Errorf("read %s: %w", p.query, err)
		}
	}
	if got.view.Empty() && !p.query.Kind.Instances() {
		read, err := p.client.plain(ctx, p.query, true)
		if err == nil {
			err = p.believe(read)
		}
		if err != nil {
			return fmt.Errorf("confirm that there is nothing: %w", err)
		}
		got, got.view.Epoch = read, p.cursor.epoch
		if got.view.Empty() {
			got.view.Verdict.Confirmed, got.view.Verdict.Evidence = 1, []string{"1 consistent read agreed that there is nothing"}
		}
		p.cursor = p.cursor.afresh()
	}
	p.accept(got)
	return nil
}

func (p *poll) accept(got answer) {
	if got.hidden {
		got.view.Verdict.Evidence = append(got.view.Verdict.Evidence, "Consul hides some results from the token")
	}
	p.good, p.stuck = got.view, false
	p.client.hub.publish(p.entry, p.good, nil)
}

// refresh takes an answer of equal content. The view keeps its history, and its
// epoch too: the first change after the index went backwards must meet the old one.
func (p *poll) refresh(got answer) {
	v := got.view
	v.Departures, v.Verdict, v.Epoch = p.good.Departures, p.good.Verdict, p.good.Epoch
	p.good, p.stuck = v, false
	p.client.hub.publish(p.entry, v, nil)
}

// confirm makes the reads that the doubt asks for. agreed is true when all of
// them agree with doubted; newest is the last one made.
func (p *poll) confirm(ctx context.Context, doubted *catalog.View) (newest answer, agreed bool, err error) {
	fates := p.fates(ctx, doubted)
	doubt := catalog.Judge(p.good, doubted, fates.dead())
	before := doubted
	for range doubt.Reads {
		if err := sleep(ctx, doubt.Spacing); err != nil {
			return newest, false, err
		}
		if newest, err = p.client.plain(ctx, p.query, true); err != nil {
			return newest, false, err
		}
		if err := p.believe(newest); err != nil {
			return newest, false, err
		}
		newest.view.Epoch = p.cursor.epoch
		// A read that agrees and lost much more is a new shrink to be doubted.
		if !catalog.Confirms(p.good, doubted, newest.view) || differs(before, newest.view) {
			return newest, false, nil
		}
		before = newest.view
	}
	v := newest.view
	v.Verdict.Confirmed = doubt.Reads
	v.Verdict.Evidence = []string{doubt.Reason, fmt.Sprintf("%d consistent reads %s apart agreed", doubt.Reads, doubt.Spacing)}
	// Asked again, because a node may have died between the reads.
	fates = p.fates(ctx, v)
	lost, _ := catalog.Lost(p.good, v)
	for _, i := range lost {
		v.Departures = append(v.Departures, catalog.Departure{Member: i.Member(), Cause: fates[i.Node.Name].cause()})
	}
	return newest, true, nil
}

func differs(before, now *catalog.View) bool { return catalog.Judge(before, now, nil).Reason != "" }

// believe refuses a confirming read that a lack of rights may have emptied. A
// list of names that lacked some from the start proves nothing by lacking some:
// what left it is judged by the health of each service.
func (p *poll) believe(read answer) error {
	usual := p.query.Kind == catalog.ServiceNames && p.hidden
	switch {
	case read.hidden && !usual:
		return lacking(errHidden, p.query)
	case read.denied:
		return lacking(errAnonymous, p.query)
	}
	return nil
}
