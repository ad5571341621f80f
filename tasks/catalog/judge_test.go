package catalog

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestJudgeDoubtsExactlyTheShrinksOfTheRules(t *testing.T) {
	first, last := func(n, of int) []Instance { return pool(of)[:n] }, func(n, of int) []Instance { return pool(of)[of-n:] }
	flip := func(n, of int) []Instance {
		return append(withAll(pool(of)[:n], Critical), withAll(pool(of), Passing)[n:]...)
	}
	cases := map[string]struct {
		prev, next *View
		gone       map[string]bool
		reason     string // "" for no doubt
		spacing    time.Duration
	}{
		"nothing to compare with":                   {next: health()},
		"the same again":                            {prev: health(pool(4)...), next: health(pool(4)...)},
		"growth from none":                          {prev: health(), next: health(pool(4)...)},
		"one of two":                                {prev: health(pool(2)...), next: health(first(1, 2)...)},
		"one of four":                               {prev: health(pool(4)...), next: health(first(3, 4)...)},
		"exactly a quarter":                         {prev: health(pool(8)...), next: health(first(6, 8)...)},
		"the only one":                              {prev: health(pool(1)...), next: health(), reason: "all 1 registered instances vanished at once", spacing: time.Second},
		"all":                                       {prev: health(pool(3)...), next: health(), reason: "all 3 registered instances vanished at once", spacing: time.Second},
		"two of three":                              {prev: health(pool(3)...), next: health(last(1, 3)...), reason: "2 of 3 registered instances vanished at once", spacing: time.Second},
		"a little more than a quarter":              {prev: health(pool(7)...), next: health(first(5, 7)...), reason: "2 of 7 registered instances vanished at once", spacing: time.Second},
		"all replaced by others":                    {prev: health(first(2, 4)...), next: health(last(2, 4)...), reason: "2 of 2 registered instances vanished at once", spacing: time.Second},
		"all but one fail":                          {prev: health(flip(0, 4)...), next: health(flip(3, 4)...), reason: "3 of 4 passing instances vanished at once", spacing: time.Second},
		"one of several fails":                      {prev: health(flip(0, 4)...), next: health(flip(1, 4)...)},
		"the last passing one fails":                {prev: health(flip(3, 4)...), next: health(flip(4, 4)...), reason: "all 1 passing instances vanished at once", spacing: time.Second},
		"a failing one leaves":                      {prev: health(flip(1, 4)...), next: health(flip(1, 4)[1:]...)},
		"one warns":                                 {prev: health(with(pool(2)[0], Passing), pool(2)[1]), next: health(with(pool(2)[0], Warning), pool(2)[1])},
		"two of three and a node went along":        {prev: health(pool(3)...), next: health(last(1, 3)...), gone: map[string]bool{"n1": true}, reason: "2 of 3 registered instances vanished at once", spacing: 5 * time.Second},
		"two of three and another node went":        {prev: health(pool(3)...), next: health(last(1, 3)...), gone: map[string]bool{"n2": true}, reason: "2 of 3 registered instances vanished at once", spacing: time.Second},
		"one of several whose node went":            {prev: health(pool(3)...), next: health(first(2, 3)...), gone: map[string]bool{"n2": true}},
		"all and the index went backwards":          {prev: health(pool(3)...), next: inEpoch(health(), 1), reason: "all 3 registered instances vanished at once", spacing: 5 * time.Second},
		"one of several, first of a new epoch":      {prev: health(pool(9)...), next: inEpoch(health(first(8, 9)...), 1), reason: "1 of 9 registered instances vanished as the index went backwards", spacing: 5 * time.Second},
		"growth in a new epoch":                     {prev: health(pool(3)...), next: inEpoch(health(pool(4)...), 1)},
		"another port":                              {prev: health(with(pool(1)[0], Passing)), next: health(moved(with(pool(1)[0], Passing)))},
		"one name of several":                       {prev: names("a", "b"), next: names("a")},
		"all names":                                 {prev: names("a"), next: names(), reason: "all 1 services vanished at once", spacing: time.Second},
		"two names of three":                        {prev: names("a", "b", "c"), next: names("a"), reason: "2 of 3 services vanished at once", spacing: time.Second},
		"one name of several, first of a new epoch": {prev: names("a", "b"), next: inEpoch(names("a"), 1), reason: "1 of 2 services vanished as the index went backwards", spacing: 5 * time.Second},
		"the only key":                              {prev: pairs("a"), next: pairs(), reason: "all 1 keys vanished at once", spacing: time.Second},
		"one key of several":                        {prev: pairs("a", "b"), next: pairs("a")},
		"all keys":                                  {prev: pairs("a", "b"), next: pairs(), reason: "all 2 keys vanished at once", spacing: time.Second},
		"a key's other value":                       {prev: pairs("a"), next: NewPairsView(Query{Kind: KVPrefix}, map[string]string{"a": "other"})},
		"one node of several":                       {prev: nodes("a", "b"), next: nodes("b")},
		"two nodes of three":                        {prev: nodes("a", "b", "c"), next: nodes("b"), reason: "2 of 3 nodes vanished at once", spacing: time.Second},
		"all nodes, others come":                    {prev: nodes("a", "b"), next: nodes("c", "d"), reason: "2 of 2 nodes vanished at once", spacing: time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			want := Doubt{Reason: c.reason, Spacing: c.spacing}
			if c.reason != "" {
				want.Reads = 2
			}
			if got := Judge(c.prev, c.next, c.gone); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func moved(i Instance) Instance {
	i.Port++
	return i
}

func TestJudgeNeverWaitsForOneOfSeveralNorTrustsALossOfAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		had := rapid.IntRange(1, 30).Draw(t, "had")
		lost := rapid.IntRange(0, had).Draw(t, "lost")
		doubt := Judge(health(pool(had)...), health(pool(had)[lost:]...), nil)
		want := lost == had || lost > 1 && lost*4 > had
		if (doubt.Reads == 2) != want || (doubt != Doubt{}) != want {
			t.Fatalf("%d of %d lost: %+v", lost, had, doubt)
		}
	})
}

func TestAReadConfirmsWhatStayedAway(t *testing.T) {
	cases := map[string]struct {
		prev, doubted, read *View
		want                bool
	}{
		"still empty":               {health(pool(3)...), health(), health(), true},
		"one is back":               {health(pool(3)...), health(), health(pool(1)...), false},
		"lost more":                 {health(pool(4)...), health(pool(2)...), health(pool(1)...), true},
		"others came":               {health(pool(2)...), health(), health(pool(3)[2]), true},
		"back but failing":          {health(pool(2)...), health(), health(withAll(pool(2), Critical)...), false},
		"still failing":             {health(pool(2)...), health(withAll(pool(2), Critical)...), health(withAll(pool(2), Critical)...), true},
		"failing and then gone":     {health(pool(2)...), health(withAll(pool(2), Critical)...), health(), true},
		"passing again":             {health(pool(2)...), health(withAll(pool(2), Critical)...), health(pool(2)...), false},
		"names stay away":           {names("a", "b"), names(), names(), true},
		"a name is back":            {names("a", "b"), names(), names("b"), false},
		"keys stay away":            {pairs("a", "b"), pairs(), pairs(), true},
		"a key is back":             {pairs("a", "b"), pairs(), pairs("a"), false},
		"a node is back":            {nodes("a", "b"), nodes(), nodes("b"), false},
		"nodes stay away":           {nodes("a", "b"), nodes(), nodes("c"), true},
		"another name in its place": {names("a", "b"), names("a"), names("a", "c"), true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Confirms(c.prev, c.doubted, c.read); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAnAnswerConfirmsItselfAndTheOldViewContradictsEveryLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		had := rapid.IntRange(1, 10).Draw(t, "had")
		lost := rapid.IntRange(1, had).Draw(t, "lost")
		prev, next := health(pool(had)...), health(pool(had)[lost:]...)
		if !Confirms(prev, next, next) || Confirms(prev, next, prev) {
			t.Fatalf("%d of %d lost", lost, had)
		}
	})
}

func TestLostListsWhoLeftAndWhoStoppedPassing(t *testing.T) {
	prev := health(with(pool(4)[0], Passing), with(pool(4)[1], Critical), with(pool(4)[2], Passing), pool(4)[3])
	next := health(with(pool(4)[0], Critical), pool(4)[3])
	registered, passing := Lost(prev, next)
	if got := ids(registered); got != "web-001 web-002" {
		t.Errorf("registered: %s", got)
	}
	if got := ids(passing); got != "web-000 web-002" {
		t.Errorf("passing: %s", got)
	}
}
