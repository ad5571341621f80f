package store

import (
	"encoding/json"
	"fmt"

	"patchbay/tasks"

	"go.etcd.io/bbolt"
)

// Definitions gives what the API made of tasks, by name.
func (s *Store) Definitions() (map[string]tasks.Definition, error) {
	out := map[string]tasks.Definition{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketDefinitions)
		if b == nil {
			return nil
		}
		return b.ForEach(func(name, value []byte) error {
			var d tasks.Definition
			if err := json.Unmarshal(value, &d); err != nil {
				return fmt.Errorf("decode definition of task %q: %w", name, err)
			}
			out[string(name)] = d
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	return out, nil
}

// SaveDefinition replaces a task's definition, or forgets it when d is nil. When
// it returns nil, that is on disk.
func (s *Store) SaveDefinition(task string, d *tasks.Definition) error {
	err := checkName("task name", task)
	if err == nil {
		err = s.db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(bucketDefinitions)
			if err != nil {
				return err
			}
			if d == nil {
				return b.Delete([]byte(task))
			}
			value, err := json.Marshal(d)
			if err != nil {
				return err
			}
			return b.Put([]byte(task), value)
		})
	}
	if err != nil {
		return fmt.Errorf("save definition of task %q: %w", task, explain(err))
	}
	return nil
}
