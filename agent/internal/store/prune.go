package store

import (
	"encoding/json"
	"fmt"
	"time"

	"patchbay/tasks"

	"go.etcd.io/bbolt"
)

// aged is what pruning reads of a run.
type aged struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
}

// prune removes the runs of newest's task that are out of bounds, oldest first.
func (s *Store) prune(tx *bbolt.Tx, runs *bbolt.Bucket, newest tasks.Run) error {
	named, err := namedRuns(tx, newest.Task)
	if err != nil {
		return err
	}
	named[newest.ID] = true
	excess := countKeys(runs) - max(1, s.keep.Runs)
	c := runs.Cursor()
	var gone []aged
	var keys [][]byte
	for key, value := c.First(); key != nil; key, value = c.Next() {
		var r aged
		if err := json.Unmarshal(value, &r); err != nil {
			return fmt.Errorf("decode an old run: %w", err)
		}
		old := s.keep.Age > 0 && newest.Started.Sub(r.Started) > s.keep.Age
		if excess <= 0 && !old {
			break
		}
		excess--
		if !named[r.ID] {
			gone, keys = append(gone, r), append(keys, key)
		}
	}
	// A bbolt cursor must not move on after a deletion, hence the second pass.
	for n := range gone {
		if err := runs.Delete(keys[n]); err != nil {
			return err
		}
		if err := tx.Bucket(bucketIDs).Delete([]byte(gone[n].ID)); err != nil {
			return err
		}
	}
	return nil
}

// namedRuns are the runs that the task's record speaks of.
func namedRuns(tx *bbolt.Tx, task string) (map[string]bool, error) {
	named := map[string]bool{}
	value := tx.Bucket(bucketRecords).Get([]byte(task))
	if value == nil {
		return named, nil
	}
	var record struct {
		Applied, Held struct {
			Run string `json:"run"`
		}
	}
	if err := json.Unmarshal(value, &record); err != nil {
		return nil, fmt.Errorf("decode the task's record: %w", err)
	}
	named[record.Applied.Run], named[record.Held.Run] = true, true
	return named, nil
}

// countKeys walks the leaves without touching the values.
func countKeys(b *bbolt.Bucket) (n int) {
	c := b.Cursor()
	for key, _ := c.First(); key != nil; key, _ = c.Next() {
		n++
	}
	return n
}
