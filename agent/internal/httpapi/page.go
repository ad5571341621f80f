package httpapi

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"sync"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/diff/text"
)

//go:embed page.html
var pageText string

// parsedPage is [pageText] parsed once.
var parsedPage = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(pageText)) })

// pagePolicy lets the page load and run nothing, nor stand within another one. Its
// style is its own.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Bounds of what the page shows of one plan; the API has all of it.
const (
	maxPageObjects = 200
	maxPageFields  = 20
	maxPageLine    = 2000 // characters
)

// pageTask is one task as the page shows it.
type pageTask struct {
	Name, Description, Status, Note, Class, Run, Members string
	// Holds are the evidence of a held plan, Lines the newest run in the words of the
	// devices, Plan in Terraform's.
	Holds, Lines, Plan []string
}

// page answers the status page: all tasks with their newest runs.
func (a *api) page(x exchange) {
	now := time.Now()
	data := struct {
		Ready   bool
		Reasons []string
		At      string
		Tasks   []pageTask
	}{At: now.Format(time.DateTime)}
	data.Ready, data.Reasons = a.Prober.Ready()
	for _, s := range a.Reader.States() {
		data.Tasks = append(data.Tasks, newPageTask(s, now))
	}
	x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	x.w.Header().Set("Content-Security-Policy", pagePolicy)
	x.w.Header().Set("Referrer-Policy", "no-referrer")
	if x.r.Method == http.MethodHead {
		return
	}
	// An error here means that the peer has gone: there is nobody to tell.
	_ = parsedPage().Execute(x.w, data)
}

func newPageTask(s tasks.State, now time.Time) pageTask {
	out := pageTask{Name: s.Task.Name, Description: text.Clean(s.Task.Description, 4*text.MaxName), Status: string(s.Status), Note: text.Clean(s.Note, 4*text.MaxName)}
	if !s.Task.Enabled {
		out.Status = "disabled"
	}
	if a := s.Record.Applied; a != nil {
		out.Members = fmt.Sprintf("members applied: %d", len(a.Members))
	}
	if h := s.Record.Held; h != nil {
		out.Class = "held"
		for _, f := range h.Findings {
			for _, e := range f.Evidence {
				out.Holds = append(out.Holds, text.Clean(f.Rule+": "+e, 4*text.MaxName))
			}
		}
	}
	r := s.Newest
	if r == nil {
		return out
	}
	if r.Phase == tasks.Retrying || r.Phase == tasks.Failed {
		out.Class = "failing"
	}
	out.Run = fmt.Sprintf("%s: %s, started %s, trigger: %s", r.ID, r.Phase, r.Started.In(now.Location()).Format(time.DateTime), r.Trigger)
	for _, line := range text.Text(r.Devices, r.MoreDevices, now) {
		out.Lines = append(out.Lines, text.Clean(line, maxPageLine))
	}
	out.Plan = planLines(r.Plan)
	return out
}

// planLines writes Terraform's plan object by object.
func planLines(p tasks.Plan) (out []string) {
	for n, c := range p.Changes {
		if n == maxPageObjects {
			out = append(out, fmt.Sprintf("and %d more objects", len(p.Changes)-n))
			break
		}
		out = append(out, fmt.Sprintf("%s %s", c.Action, text.Clean(c.Address, 4*text.MaxName)))
		for n, f := range c.Fields {
			if n == maxPageFields {
				out = append(out, fmt.Sprintf("    and %d more attributes", len(c.Fields)-n))
				break
			}
			out = append(out, fmt.Sprintf("    %s: %s -> %s", text.Clean(f.Path, text.MaxName), shown(f.Before), shown(f.After)))
		}
	}
	return out
}

func shown(value string) string {
	if value == "" {
		return `""`
	}
	return text.Clean(value, 2*text.MaxName)
}
