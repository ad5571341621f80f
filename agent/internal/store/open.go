package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// Names below the working directory.
const (
	dirName  = ".patchbay"
	fileName = "patchbay.db"
	lockName = "lock"
)

// format is the version of what the file holds; a greater one is of a newer Patchbay.
const format = 1

// lockWait is how long opening waits for another process that has the file open,
// such as a copy being made of it.
const lockWait = 2 * time.Second

var keyFormat = []byte("format")

// Open opens the history in a working directory and makes it when there is none.
// A file that is damaged, not Patchbay's or of a newer version gives an error and
// is left as it is.
func Open(dir string, keep Keep) (*Store, error) {
	path := filepath.Join(dir, dirName, fileName)
	err := makeDir(filepath.Dir(path))
	if err == nil {
		err = prepare(path)
	}
	var db *bbolt.DB
	if err == nil {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait})
	}
	if err != nil {
		return nil, fmt.Errorf("open history %s: %w", path, explain(err))
	}
	return &Store{db: db, keep: keep}, nil
}

// makeDir makes the directory and closes it to others even if it was there before.
func makeDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// prepare makes a missing file and checks an existing one.
func prepare(path string) error {
	stat, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return create(path)
	case err != nil:
		return err
	case !stat.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	if err := check(path, stat.Size()); err != nil {
		return err
	}
	return os.Chmod(path, 0o600)
}

// create makes an empty history beside and renames it, so that a crash leaves no
// half a file.
func create(path string) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "new-*.db")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if err := temp.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(temp.Name(), 0o600, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Update(initialise), db.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func initialise(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketRuns, bucketIDs, bucketRecords} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(keyFormat, []byte(strconv.Itoa(format)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// check reads the whole structure of a file without writing to it. bbolt trusts
// the pages that it maps into memory: on a damaged one it panics or faults, and
// better here than in the middle of a run.
func check(path string, size int64) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = damaged(fmt.Errorf("%v", cause))
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: lockWait})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return errors.New("another process has the file open; end it and start again")
	}
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err != nil {
		return damaged(err)
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error { return checkContent(tx, size) })
}

func checkContent(tx *bbolt.Tx, size int64) error {
	if tx.Size() > size {
		return damaged(fmt.Errorf("it has %d bytes of %d", size, tx.Size()))
	}
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return errors.New("it is a bbolt file, but not Patchbay's; nothing was changed; move it away and start again")
	}
	version, err := strconv.Atoi(string(meta.Get(keyFormat)))
	if err == nil && version > format {
		return fmt.Errorf("it was written by a newer Patchbay (format %d, this one reads %d); nothing was changed; "+
			"start the newer version, or move the file away to start with an empty history", version, format)
	}
	if err != nil || version < 1 {
		return damaged(fmt.Errorf("its format is %q", meta.Get(keyFormat)))
	}
	for _, part := range []struct {
		name []byte
		ok   func(value []byte) bool
	}{{bucketRuns, isObject}, {bucketRecords, isObject}, {bucketIDs, isPlace}} {
		b := tx.Bucket(part.name)
		if b == nil {
			return damaged(fmt.Errorf("bucket %s is missing", part.name))
		}
		if err := walk(b, part.ok); err != nil {
			return damaged(fmt.Errorf("bucket %s: %w", part.name, err))
		}
	}
	return nil
}

// walk touches every key and value.
func walk(b *bbolt.Bucket, ok func(value []byte) bool) error {
	return b.ForEach(func(key, value []byte) error {
		if value == nil {
			return walk(b.Bucket(key), ok)
		}
		if !ok(value) {
			return fmt.Errorf("entry %q is not what Patchbay writes", key)
		}
		return nil
	})
}

// isObject looks at both ends of a value only: a start must not decode a whole history.
func isObject(value []byte) bool {
	return len(value) >= 2 && value[0] == '{' && value[len(value)-1] == '}'
}

func isPlace(value []byte) bool { return len(value) > placeTask }

func damaged(cause error) error {
	return fmt.Errorf("the file is damaged: %w; nothing was changed; restore a copy, or move it away to start with an empty history "+
		"(the guard then takes what is on the devices as its baseline)", cause)
}
