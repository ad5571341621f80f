package rollout

import (
	"cmp"
	"fmt"
	"slices"

	"patchbay/tasks/catalog"
)

// obey does what people asked for, in the order in which they asked.
func (t *turn) obey() {
	list := slices.SortedFunc(slices.Values(t.obs.Commands), func(a, b Command) int { return cmp.Compare(a.Number, b.Number) })
	for _, c := range list {
		if c.Number <= t.state.Handled {
			continue
		}
		t.state.Handled = c.Number
		by := cmp.Or(plain(c.By), "a person")
		var evidence []string
		if c.Reason != "" {
			evidence = []string{"reason: " + plain(c.Reason)}
		}
		kind, no := t.do(c.Do, by)
		if no != "" {
			kind, evidence = CmdRefused, append([]string{no}, evidence...)
		}
		t.tell(kind, by, evidence...)
	}
}

// do obeys one command, or says why not.
func (t *turn) do(verb Verb, by string) (kind Kind, no string) {
	switch verb {
	case Abort:
		return CmdAbort, t.abort()
	case Restart:
		return CmdRestart, t.restart()
	case Promote, Pause, Resume:
	default:
		return CmdRefused, fmt.Sprintf("%s is no command of a canary", quote(string(verb)))
	}
	s := &t.state
	switch {
	case s.Refused != (catalog.Digest{}):
		return CmdRefused, fmt.Sprintf("cannot %s: a changed plan was refused; abort or restart", verb)
	case s.Phase.Ended():
		return CmdRefused, fmt.Sprintf("cannot %s: the canary has ended (%s)", verb, s.Phase)
	case verb == Pause && s.Phase == Paused:
		return CmdRefused, "cannot pause: it is paused already"
	case verb == Resume && s.Phase != Paused:
		return CmdRefused, "cannot resume: it is not paused"
	}
	switch verb {
	case Promote:
		t.resume()
		s.Promoted = by
		return CmdPromote, ""
	case Pause:
		s.Phase = Paused
		return CmdPause, ""
	}
	t.resume()
	return CmdResume, ""
}

func (t *turn) resume() {
	t.state.Phase = Waiting
	if t.state.Exposed() {
		t.state.Phase = Progressing
	}
}

func (t *turn) abort() (no string) {
	s := &t.state
	if s.Refused == (catalog.Digest{}) && (s.Phase == Aborted || s.Phase == RolledBack) {
		return fmt.Sprintf("cannot abort: all traffic is back already (%s)", s.Phase)
	}
	t.rename()
	t.place(Aborted, 0, 0)
	return ""
}

func (t *turn) restart() (no string) {
	s := &t.state
	if s.Refused == (catalog.Digest{}) && s.Phase != Aborted && s.Phase != RolledBack {
		return fmt.Sprintf("cannot restart: it is %s; abort it first", s.Phase)
	}
	t.rename()
	t.place(Waiting, 0, 0)
	return ""
}
