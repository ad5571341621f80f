package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// filled is the path of a closed history with runs of several pages.
func filled(t *testing.T, dir string) string {
	t.Helper()
	s := open(t, dir, Keep{Runs: 99})
	s.db.NoSync = true
	for n := range 60 {
		r := run("web", n)
		r.Module = strings.Repeat("m", 500)
		must(t, s.SaveRun(r))
	}
	must(t, s.Close())
	return filepath.Join(dir, dirName, fileName)
}

func TestAFileThatCannotBeReadIsRefusedAndLeftAsItIs(t *testing.T) {
	page := os.Getpagesize()
	overwrite := func(from, to int) func([]byte) []byte {
		return func(b []byte) []byte {
			for n := from; n < min(to, len(b)); n++ {
				b[n] = 0xff
			}
			return b
		}
	}
	for name, c := range map[string]struct {
		damage func([]byte) []byte
		want   string
	}{
		"text":                {func([]byte) []byte { return []byte(strings.Repeat("no database\n", 5000)) }, "damaged"},
		"nothing but a byte":  {func([]byte) []byte { return []byte{0} }, "damaged"},
		"emptied":             {func([]byte) []byte { return nil }, "damaged"},
		"cut in the middle":   {func(b []byte) []byte { return b[:len(b)/2] }, "damaged"},
		"cut to a page":       {func(b []byte) []byte { return b[:page] }, "damaged"},
		"both meta pages bad": {overwrite(0, 2*page), "damaged"},
		"all data pages bad":  {overwrite(2*page, 1<<30), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filled(t, dir)
			content, err := os.ReadFile(path)
			must(t, err)
			content = c.damage(content)
			must(t, os.WriteFile(path, content, 0o600))
			refused(t, dir, content, c.want)
		})
	}
}

func refused(t *testing.T, dir string, content []byte, want string) {
	t.Helper()
	s, err := Open(dir, Keep{})
	if err == nil {
		s.Close()
		t.Fatal("opened")
	}
	for _, part := range []string{"open history " + dir, want, "nothing was changed"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	after, readErr := os.ReadFile(filepath.Join(dir, dirName, fileName))
	must(t, readErr)
	if !bytes.Equal(content, after) {
		t.Error("the file was changed")
	}
}

func TestAFileOfANewerFormatOrOfAnotherProgramIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bbolt.Tx) error
		want   string
	}{
		"newer":           {func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyFormat, []byte("2")) }, "written by a newer Patchbay (format 2, this one reads 1)"},
		"no number":       {func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyFormat, []byte("x")) }, `its format is "x"`},
		"another program": {func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketMeta) }, "not Patchbay's"},
		"a bucket gone":   {func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketIDs) }, "bucket ids is missing"},
		"a value of others": {func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketRuns).Bucket([]byte("web")).Put([]byte("k"), []byte("v"))
		},
			`entry "k" is not what Patchbay writes`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filled(t, dir)
			db, err := bbolt.Open(path, 0o600, nil)
			must(t, err)
			must(t, db.Update(c.change))
			must(t, db.Close())
			content, err := os.ReadFile(path)
			must(t, err)
			refused(t, dir, content, c.want)
		})
	}
}

func TestAFileThatAnotherProcessHasOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Keep{})
	if _, err := Open(dir, Keep{}); err == nil || !strings.Contains(err.Error(), "another process has the file open") {
		t.Errorf("got %v", err)
	}
}
