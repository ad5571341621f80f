package consul

import (
	"sync"
	"testing"
	"time"

	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTheCursorFollowsConsulsRules(t *testing.T) {
	type step struct {
		blocked bool
		index   uint64
	}
	cases := map[string]struct {
		steps []step
		want  cursor
		take  bool // of the last step
	}{
		"a plain read sets the index to wait for": {steps: []step{{false, 7}}, want: cursor{wait: 7, newest: 7}, take: true},
		"zero counts as one":                      {steps: []step{{false, 0}}, want: cursor{wait: 1, newest: 1}, take: true},
		"a blocking answer moves it on":           {steps: []step{{false, 7}, {true, 9}}, want: cursor{wait: 9, newest: 9, streamed: 9}, take: true},
		"an unchanged index is taken":             {steps: []step{{false, 7}, {true, 7}}, want: cursor{wait: 7, newest: 7, streamed: 7}, take: true},
		"a blocking answer older than asked for is read again, without a new epoch": {
			steps: []step{{false, 24}, {true, 19}}, want: cursor{wait: 0, newest: 24, streamed: 19}},
		"a blocking index that falls begins an epoch and asks for a plain read": {
			steps: []step{{false, 7}, {true, 9}, {true, 8}}, want: cursor{epoch: 1}},
		"a plain index below anything seen begins an epoch": {
			steps: []step{{false, 7}, {true, 9}, {false, 8}}, want: cursor{wait: 8, newest: 8, epoch: 1}, take: true},
		"one fall begins one epoch": {
			steps: []step{{false, 45}, {true, 45}, {true, 5}, {false, 5}, {true, 6}}, want: cursor{wait: 6, newest: 6, streamed: 6, epoch: 1}, take: true},
		"where tombstones are forgotten a falling plain index begins none": {
			steps: []step{{false, 102}, {false, 50}}, want: cursor{wait: 50, newest: 50, sags: true}, take: true},
		"nor does a falling blocking index, which is read again": {
			steps: []step{{false, 102}, {true, 102}, {true, 50}}, want: cursor{sags: true}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := cursor{sags: c.want.sags}
			var take bool
			for _, s := range c.steps {
				if take = true; s.blocked {
					got, take = got.blocked(s.index)
				} else {
					got = got.plain(s.index)
				}
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(cursor{})); diff != "" || take != c.take {
				t.Errorf("take %v, cursor (-want +got):\n%s", take, diff)
			}
		})
	}
}

func TestTheCursorNeverWaitsForMoreThanItSawNorLosesAnEpoch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c cursor
		highest := uint64(1)
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			before, index := c, rapid.Uint64Range(0, 20).Draw(t, "index")
			highest = max(highest, index)
			take := true
			if c.wait > 0 && rapid.Bool().Draw(t, "blocked") {
				c, take = c.blocked(index)
				if take && max(index, 1) < before.wait {
					t.Fatalf("%+v took the older index %d", before, index)
				}
			} else {
				c = c.plain(index)
			}
			if c.wait > highest || take == (c.wait == 0) {
				t.Fatalf("%+v after %d: take %v, wait %d", before, index, take, c.wait)
			}
			if c.epoch < before.epoch || c.epoch > before.epoch+1 {
				t.Fatalf("the epoch went from %d to %d", before.epoch, c.epoch)
			}
			if c.epoch == before.epoch && c.newest < before.newest {
				t.Fatalf("within one epoch %+v became %+v", before, c)
			}
		}
	})
}

func TestAnIndexThatNeverFallsBeginsNoEpoch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c cursor
		leader, stream := uint64(1), uint64(1)
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			// The stream follows the leader and may lag behind it.
			leader += rapid.Uint64Range(0, 3).Draw(t, "leader")
			stream = rapid.Uint64Range(stream, leader).Draw(t, "stream")
			if c.wait > 0 && rapid.Bool().Draw(t, "blocked") {
				c, _ = c.blocked(stream)
			} else {
				c = c.plain(leader)
			}
			if c.epoch != 0 {
				t.Fatalf("an epoch began at leader %d, stream %d: %+v", leader, stream, c)
			}
		}
	})
}

func TestSeatsAreGivenInTurnAndNeverMoreThanThereAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		free := rapid.IntRange(0, 3).Draw(t, "free")
		s := &seats{free: free}
		var order, sitting []*seat
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if all := append(append([]*seat{}, order...), sitting...); len(all) > 0 && rapid.Bool().Draw(t, "leave") {
				n := rapid.IntRange(0, len(all)-1).Draw(t, "who")
				s.leave(all[n])
				order, sitting = without(order, all[n]), without(sitting, all[n])
			} else {
				order = append(order, s.ask())
			}
			for len(order) > 0 && granted(order[0]) {
				sitting, order = append(sitting, order[0]), order[1:]
			}
			for _, later := range order {
				if granted(later) {
					t.Fatal("a seat was given out of turn")
				}
			}
			if len(sitting) > free || s.waiting() != len(order) || len(order) > 0 && len(sitting) < free {
				t.Fatalf("%d of %d seats taken, %d waiting, %d told", len(sitting), free, len(order), s.waiting())
			}
		}
	})
}

func granted(t *seat) bool {
	select {
	case <-t.ready:
		return true
	default:
		return false
	}
}

func without(list []*seat, gone *seat) (out []*seat) {
	for _, t := range list {
		if t != gone {
			out = append(out, t)
		}
	}
	return out
}

func TestConnectionsAreSplitWithinTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		polls := rapid.IntRange(-1, 1000).Draw(t, "max_polls")
		long, short := split(polls)
		if short < 1 || long < 0 || long+short != max(1, polls) {
			t.Fatalf("%d became %d long and %d short", polls, long, short)
		}
	})
}

func TestATurnGrowsWithTheQueueAndIsNeverShort(t *testing.T) {
	for waiting, want := range map[int]time.Duration{0: time.Second, 100: time.Second, 182: 1820 * time.Millisecond, 910: 9100 * time.Millisecond} {
		if got := turn(waiting); got != want {
			t.Errorf("%d waiting: got %s, want %s", waiting, got, want)
		}
	}
}

func TestPausesGrowToHalfAMinuteAndNeverEnd(t *testing.T) {
	p := newPause()
	for n := range 1000 {
		d := p.NextBackOff()
		if d < 75*time.Millisecond || d > 30*time.Second+time.Millisecond {
			t.Fatalf("pause %d is %s", n, d)
		}
		if n > 20 && d < 15*time.Second {
			t.Fatalf("pause %d is only %s", n, d)
		}
	}
}

func TestSeatsMayBeAskedForByManyAtOnce(t *testing.T) {
	s := &seats{free: 2}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			seat := s.ask()
			<-seat.ready
			s.leave(seat)
		})
	}
	group.Wait()
	if s.free != 2 || s.waiting() != 0 {
		t.Errorf("%d free, %d waiting", s.free, s.waiting())
	}
}

func TestHealthNeverWaitsForRules(t *testing.T) {
	all := &seats{free: 16}
	c := &Client{seats: all, rules: all}
	c.reserve()
	c.reserve()
	rule, health := catalog.Query{Kind: catalog.DiscoveryChain, Name: "web"}, catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}
	for range 20 {
		c.seatsOf(rule).ask()
	}
	if n := c.seatsOf(rule).waiting(); n != 18 {
		t.Errorf("%d rules wait, want all but 2", n)
	}
	for range 14 {
		c.seatsOf(health).ask()
	}
	if n := c.seatsOf(health).waiting(); n != 0 {
		t.Errorf("%d health queries wait", n)
	}
}
