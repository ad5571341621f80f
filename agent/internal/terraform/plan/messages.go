package plan

import (
	"bytes"
	"encoding/json"
	"strings"
)

// message is one line of a command with -json.
type message struct {
	Type       string `json:"type"`
	Text       string `json:"@message"`
	UI         string `json:"ui"`
	Diagnostic struct {
		Severity string `json:"severity"`
		Summary  string `json:"summary"`
		Detail   string `json:"detail"`
		Address  string `json:"address"`
		Range    struct {
			Filename string `json:"filename"`
			Start    struct {
				Line int `json:"line"`
			} `json:"start"`
		} `json:"range"`
		Snippet struct {
			Context string `json:"context"`
		} `json:"snippet"`
	} `json:"diagnostic"`
	Change struct {
		Resource struct {
			Addr string `json:"addr"`
			Type string `json:"resource_type"`
		} `json:"resource"`
		Action string `json:"action"`
	} `json:"change"`
}

const (
	// maxLine bounds a line that is decoded, in bytes.
	maxLine = 1 << 20
	// maxErrors bounds the errors that are kept of a command.
	maxErrors = 20
)

// planned is what the plan command says of one object.
type planned struct{ typ, action string }

// Messages reads the output of a command with -json. It implements [io.Writer]
// for one goroutine.
type Messages struct {
	// Print gets the readable text of each line; it must be set.
	Print func(text string)
	// Errors are the command's first error diagnostics, as a person reads them.
	Errors []string

	rest []byte
	// skip is true in the middle of a line that was too long.
	skip    bool
	ui      string
	planned map[string]planned
	// odd is true when something was not understood; the fast path is closed then.
	odd bool
}

// Write implements [io.Writer].
func (m *Messages) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		m.rest = append(m.rest, line...)
		ended := line[len(line)-1] == '\n'
		if len(m.rest) > maxLine {
			m.odd, m.skip, m.rest = true, true, nil
		}
		if !ended {
			continue
		}
		if !m.skip {
			m.line(m.rest)
		}
		m.skip, m.rest = false, m.rest[:0]
	}
	return len(p), nil
}

func (m *Messages) line(line []byte) {
	var msg message
	if err := json.Unmarshal(line, &msg); err != nil {
		m.odd = true
		m.Print(strings.TrimRight(string(line), "\n"))
		return
	}
	m.Print(msg.Text)
	switch msg.Type {
	case "version":
		m.ui = msg.UI
	case "diagnostic":
		if msg.Diagnostic.Severity == "error" && len(m.Errors) < maxErrors {
			m.Errors = append(m.Errors, msg.problem())
		}
	case "planned_change":
		addr := msg.Change.Resource.Addr
		if _, twice := m.planned[addr]; twice || addr == "" {
			m.odd = true
			return
		}
		if m.planned == nil {
			m.planned = map[string]planned{}
		}
		m.planned[addr] = planned{msg.Change.Resource.Type, msg.Change.Action}
	}
}
