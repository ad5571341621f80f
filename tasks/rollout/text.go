package rollout

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Bounds of what a state keeps of texts that come from outside.
const (
	maxText  = 200
	maxNames = 5
)

// plain makes a text of unknown origin fit for one line of a log: valid, without
// control characters, at most maxText runes.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(cut(s), "?"))
	return strings.TrimSpace(s)
}

// quote is for texts inside a sentence.
func quote(s string) string { return strconv.Quote(strings.ToValidUTF8(cut(s), "?")) }

func cut(s string) string {
	n := 0
	for at := range s {
		if n == maxText {
			return s[:at] + "…"
		}
		n++
	}
	return s
}

// list joins names and counts those that are too many to show.
func list(names []string) string {
	shown := names[:min(len(names), maxNames)]
	quoted := make([]string, len(shown))
	for n, name := range shown {
		quoted[n] = plain(name)
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }
