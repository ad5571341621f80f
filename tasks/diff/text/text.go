package text

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"patchbay/tasks"
)

const (
	// maxLines is how many lines of a run are written, maxNamed how many items or
	// objects of one line.
	maxLines = 40
	maxNamed = 5
)

// Write gives each change its lines, with times of the zone of now.
func Write(list []tasks.DeviceChange, now time.Time) []tasks.DeviceChange {
	out := slices.Clone(list)
	for n := range out {
		out[n].Text = Lines(out[n], now)
	}
	return out
}

// Text tells changes in lines, with times of the zone of now; more counts changes
// that are not listed. At most 40 lines are written and the rest counted.
func Text(list []tasks.DeviceChange, more int, now time.Time) (out []string) {
	for _, d := range list {
		out = append(out, Lines(d, now)...)
	}
	left := more
	if len(out) > maxLines {
		left += len(out) - maxLines
		out = out[:maxLines]
	}
	if left > 0 {
		out = append(out, fmt.Sprintf("and %d more", left))
	}
	return out
}

// Summary tells changes in one line without reasons; "" when there are none.
func Summary(list []tasks.DeviceChange, more int) string {
	const named = 2
	var parts []string
	for _, d := range list[:min(named, len(list))] {
		parts = append(parts, head(d))
	}
	if left := len(list) + more - named; left > 0 {
		parts = append(parts, fmt.Sprintf("%d more", left))
	}
	return strings.Join(parts, "; ")
}

// Lines tells one change: in one line when that is enough.
func Lines(d tasks.DeviceChange, now time.Time) []string {
	out := []string{head(d)}
	if len(d.Items) == 1 {
		out[0] += ", " + item(d.Items[0], now)
		return out
	}
	for _, i := range d.Items {
		out = append(out, "  "+item(i, now))
	}
	return out
}

// head tells what happens to the object as a whole.
func head(d tasks.DeviceChange) string {
	sign := map[tasks.Action]string{tasks.Create: "+ ", tasks.Delete: "− ", tasks.Forget: "− "}[d.Action]
	text := objects(d)
	var rest []string
	switch {
	case d.Size != nil && d.Unit != "" && sign != "":
		text += fmt.Sprintf(" %d %s", max(d.Size.Before, d.Size.After), unit(d.Unit, max(d.Size.Before, d.Size.After)))
	case d.Size != nil && d.Unit != "" && d.Size.Before == d.Size.After:
		text += fmt.Sprintf(" %d %s", d.Size.After, unit(d.Unit, d.Size.After))
		rest = append(rest, counts(d)...)
	case d.Size != nil && d.Unit != "":
		text += fmt.Sprintf(" %d → %d %s", d.Size.Before, d.Size.After, unit(d.Unit, d.Size.After))
	default:
		if sign == "" {
			sign = "~ "
		}
		rest = append(rest, counts(d)...)
	}
	if d.Action == tasks.Forget {
		text += " is left alone from now on"
	}
	if d.Action == tasks.Replace && len(d.Items) == 0 && len(d.Notes) == 0 {
		text += " is made anew"
	}
	if rest = append(rest, d.Notes...); len(rest) > 0 {
		text += ": " + strings.Join(rest, ", ")
	}
	return sign + text
}

// counts tells how many items come, go and change.
func counts(d tasks.DeviceChange) (out []string) {
	for _, what := range []string{tasks.ItemAdded, tasks.ItemRemoved, tasks.ItemChanged} {
		n := 0
		for _, i := range d.Items {
			if i.What == what {
				n += len(i.Items) + i.More
			}
		}
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, what))
		}
	}
	return out
}

// objects names the object and those that change alike, its word once.
func objects(d tasks.DeviceChange) string {
	word := ""
	if n := strings.LastIndex(d.Object, " "); n > 0 {
		word = d.Object[:n+1]
	}
	names := []string{d.Object}
	for _, a := range d.Alike {
		names = append(names, strings.TrimPrefix(a, word))
	}
	return named(names, d.MoreAlike)
}

func named(names []string, more int) string {
	if len(names) > maxNamed {
		more += len(names) - maxNamed
		names = names[:maxNamed]
	}
	text := strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func unit(plural string, n int) string {
	switch {
	case n != 1:
		return plural
	case strings.HasSuffix(plural, "addresses"):
		return strings.TrimSuffix(plural, "es")
	}
	return strings.TrimSuffix(plural, "s")
}

// item tells items with one reason: − 10.0.0.1:80, 10.0.0.2:80 because ….
func item(i tasks.ItemChange, now time.Time) string {
	sign := map[string]string{tasks.ItemAdded: "+ ", tasks.ItemRemoved: "− ", tasks.ItemChanged: "~ "}[i.What]
	text := sign + named(i.Items, i.More)
	if i.Detail != "" {
		text += " " + i.Detail
	}
	if i.Why != nil {
		text += " because " + reason(*i.Why, i.What, len(i.Items)+i.More > 1, now)
	}
	return text
}
