package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"patchbay/tasks"

	"go.etcd.io/bbolt"
)

// The buckets. runs holds one bucket per task: order of saving to run. ids finds a
// run by its ID: order of saving and task.
var (
	bucketMeta    = []byte("meta")
	bucketRuns    = []byte("runs")
	bucketIDs     = []byte("ids")
	bucketRecords = []byte("records")
	// bucketDefinitions came later: it is made when the first one is saved.
	bucketDefinitions = []byte("definitions")
)

// placeTask is where the task's name begins in a value of the ids bucket.
const placeTask = 8

// maxName bounds task names and run IDs, in bytes.
const maxName = 1024

// Keep bounds the runs that are kept per task. Bounds are enforced when a new run
// is saved. The newest run is always kept, and so are the runs that the task's
// record names as applied or held.
type Keep struct {
	// Runs is the most runs kept; less than 1 counts as 1.
	Runs int
	// Age is how much older than the newest run a kept run may be; 0 or less
	// means any age.
	Age time.Duration
}

// Store is the agent's memory on disk. All methods may be called at the same time.
type Store struct {
	db   *bbolt.DB
	keep Keep
}

// Close ends the use of the file; it waits for calls under way.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close history: %w", err)
	}
	return nil
}

// SaveRun inserts a run or replaces the one with its ID, which must be of the same
// task. When it returns nil, the run is on disk.
func (s *Store) SaveRun(r tasks.Run) error {
	value, err := json.Marshal(r)
	if err == nil {
		err = errors.Join(checkName("task name", r.Task), checkName("run ID", r.ID))
	}
	if err == nil {
		err = s.db.Update(func(tx *bbolt.Tx) error { return s.putRun(tx, r, value) })
	}
	if err != nil {
		return fmt.Errorf("save run %q of task %q: %w", r.ID, r.Task, explain(err))
	}
	return nil
}

func (s *Store) putRun(tx *bbolt.Tx, r tasks.Run, value []byte) error {
	runs, err := tx.Bucket(bucketRuns).CreateBucketIfNotExists([]byte(r.Task))
	if err != nil {
		return err
	}
	ids := tx.Bucket(bucketIDs)
	if place := ids.Get([]byte(r.ID)); place != nil {
		key, task := splitPlace(place)
		if task != r.Task {
			return fmt.Errorf("the ID is of a run of task %q already", task)
		}
		return runs.Put(key, value)
	}
	n, err := runs.NextSequence()
	if err != nil {
		return err
	}
	key := binary.BigEndian.AppendUint64(nil, n)
	if err := errors.Join(runs.Put(key, value), ids.Put([]byte(r.ID), slices.Concat(key, []byte(r.Task)))); err != nil {
		return err
	}
	return s.prune(tx, runs, r)
}

// splitPlace reads a value of the ids bucket.
func splitPlace(place []byte) (key []byte, task string) {
	return slices.Clone(place[:placeTask]), string(place[placeTask:])
}

// Runs lists the newest runs of a task, newest first: at most limit of them, all
// when limit is 0 or less. A task without runs has none.
func (s *Store) Runs(task string, limit int) (runs []tasks.Run, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketRuns).Bucket([]byte(task))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for key, value := c.Last(); key != nil && (limit <= 0 || len(runs) < limit); key, value = c.Prev() {
			var r tasks.Run
			if err := json.Unmarshal(value, &r); err != nil {
				return fmt.Errorf("decode run number %d: %w", binary.BigEndian.Uint64(key), err)
			}
			runs = append(runs, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read runs of task %q: %w", task, err)
	}
	return runs, nil
}

// Run finds a run by its ID; ok is false when it is not kept.
func (s *Store) Run(id string) (r tasks.Run, ok bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		place := tx.Bucket(bucketIDs).Get([]byte(id))
		if place == nil {
			return nil
		}
		key, task := splitPlace(place)
		ok = true
		return json.Unmarshal(tx.Bucket(bucketRuns).Bucket([]byte(task)).Get(key), &r)
	})
	if err != nil {
		return tasks.Run{}, false, fmt.Errorf("read run %q: %w", id, err)
	}
	return r, ok, nil
}

// Record gives a task's record; the zero Record when none was saved.
func (s *Store) Record(task string) (r tasks.Record, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		value := tx.Bucket(bucketRecords).Get([]byte(task))
		if value == nil {
			return nil
		}
		return json.Unmarshal(value, &r)
	})
	if err != nil {
		return tasks.Record{}, fmt.Errorf("read record of task %q: %w", task, err)
	}
	return r, nil
}

// SaveRecord replaces a task's record. When it returns nil, the record is on disk.
func (s *Store) SaveRecord(task string, r tasks.Record) error {
	value, err := json.Marshal(r)
	if err == nil {
		err = checkName("task name", task)
	}
	if err == nil {
		err = s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketRecords).Put([]byte(task), value) })
	}
	if err != nil {
		return fmt.Errorf("save record of task %q: %w", task, explain(err))
	}
	return nil
}

// Tasks names every task that has a run or a record, sorted.
func (s *Store) Tasks() ([]string, error) {
	names := map[string]bool{}
	add := func(name, _ []byte) error {
		names[string(name)] = true
		return nil
	}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket(bucketRuns).ForEach(add), tx.Bucket(bucketRecords).ForEach(add))
	})
	if err != nil {
		return nil, fmt.Errorf("list tasks of the history: %w", err)
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// checkName refuses what could not be found again by its JSON form.
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the %s is empty", what)
	case len(name) > maxName:
		return fmt.Errorf("the %s has %d bytes, at most %d are kept", what, len(name), maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("the %s is not valid UTF-8", what)
	}
	return nil
}

// explain adds to a full disk what to do about it. It looks at the text, because
// bbolt keeps the type of an error of writing, but not of one of growing the file.
func explain(err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if strings.Contains(err.Error(), full.Error()) {
			return fmt.Errorf("%w; nothing was written and what was saved before is intact; free space on the disk of working_dir", err)
		}
	}
	return err
}
