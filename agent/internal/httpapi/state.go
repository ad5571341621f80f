package httpapi

import (
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// State is a [tasks.State] on the wire.
type State struct {
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Enabled     bool         `json:"enabled"`
	Status      tasks.Status `json:"status"`
	// Note is one plain sentence of what the task waits for; "" when for nothing
	// but a change.
	Note string `json:"note"`
	// Module is the source as configured.
	Module string `json:"module"`
	// Guard is what the task may do without asking a person, its own or inherited.
	Guard *Guard `json:"guard,omitempty"`
	// Newest is the newest run, under way or ended; null before the first.
	Newest *tasks.Run `json:"newest"`
	// Held is null when no plan waits for a person.
	Held *tasks.HeldPlan `json:"held"`
	// Applied is null when nothing was applied yet.
	Applied *Applied `json:"applied"`
}

// Applied is a [tasks.AppliedInput] with its members counted instead of listed:
// there may be thousands.
type Applied struct {
	Run     string         `json:"run,omitempty"`
	Input   catalog.Digest `json:"input"`
	Members int            `json:"members"`
	At      time.Time      `json:"at"`
}

// NewState puts a state on the wire.
func NewState(s tasks.State) State {
	out := State{
		Name: s.Task.Name, Description: s.Task.Description, Enabled: s.Task.Enabled, Status: s.Status,
		Note: s.Note, Module: s.Task.Module, Guard: NewGuard(s.Task.Guard), Newest: s.Newest, Held: s.Record.Held,
	}
	if a := s.Record.Applied; a != nil {
		out.Applied = &Applied{Run: a.Run, Input: a.Input, Members: len(a.Members), At: a.At}
	}
	return out
}
