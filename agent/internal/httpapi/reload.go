package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"patchbay/agent/config"
	"patchbay/tasks"
)

// maxMistakes bounds the text about all mistakes of a configuration, in bytes.
const maxMistakes = 256 << 10

// reload reads the configuration anew. It takes no path and no content: what may be
// read is what the agent was started with.
func (a *api) reload(x exchange) {
	if !x.readNothing() {
		return
	}
	out, err := a.Reloader.Reload(x.r.Context())
	if mistakes, is := errors.AsType[*config.Error](err); is {
		x.fail(http.StatusBadRequest, "%s", told(mistakes))
		return
	}
	switch {
	case errors.Is(err, tasks.ErrTaskBusy):
		x.fail(http.StatusConflict, "%s", err)
		return
	case err != nil:
		x.refused(err)
		return
	}
	x.answer(http.StatusOK, Reload{RequestID: x.id(), Changes: list(out.Changes), Restart: list(out.Restart), Warnings: list(out.Warnings)})
}

// told gives every mistake in a line of its own, as far as there is room.
func told(e *config.Error) string {
	count := fmt.Sprintf("%d mistakes", len(e.Problems))
	if len(e.Problems) == 1 {
		count = "1 mistake"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the configuration has %s; nothing was changed; correct them and reload again", count)
	for n, p := range e.Problems {
		line := "\n" + p.String()
		if b.Len()+len(line) > maxMistakes {
			fmt.Fprintf(&b, "\nand %d more", len(e.Problems)-n)
			break
		}
		b.WriteString(line)
	}
	return b.String()
}
