package tasks

import (
	"encoding/json"

	"patchbay/tasks/catalog"
)

// Definition is a task as the API made or changed it, or the mark of a block of the
// configuration that was there. It outlives the process.
type Definition struct {
	// Task is the task in the API's form; empty when Removed.
	Task json.RawMessage `json:"task,omitempty"`
	// File identifies the block of the configuration that the definition was made
	// over; zero for a task that no file defines. When the block changes, the file
	// wins and the definition is forgotten.
	File catalog.Digest `json:"file,omitzero"`
	// Removed keeps a block of the configuration from coming back after a delete.
	Removed bool `json:"removed,omitempty"`
	// Destroy is a removal under way that destroys what the task made.
	Destroy bool `json:"destroy,omitempty"`
}

// Said tells whether the API said anything of the task.
func (d Definition) Said() bool { return len(d.Task) > 0 || d.Removed }
