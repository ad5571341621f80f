package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Owner is the agent that works in a directory, as it introduces itself.
type Owner struct {
	ID   string `json:"id"`
	PID  int    `json:"pid"`
	Host string `json:"host"`
	// Address is where its HTTP API answers; "" when it has none.
	Address string    `json:"address,omitempty"`
	Started time.Time `json:"started"`
}

// maxOwner bounds what is read of a lock file, in bytes.
const maxOwner = 64 << 10

// Lock is the right of one agent to work in a directory. It ends with
// [Lock.Release] or with the process, however that ends.
type Lock struct {
	file  *os.File
	owner Owner
}

// LockedError says that another agent works in the directory.
type LockedError struct {
	Dir string
	// Owner is the zero Owner when the lock file does not tell.
	Owner Owner
}

// Error names the other agent and says what to do.
func (e *LockedError) Error() string {
	who := "another agent, which has not told its name,"
	if o := e.Owner; o.PID != 0 {
		who = fmt.Sprintf("agent %q (pid %d on host %q", o.ID, o.PID, o.Host)
		if o.Address != "" {
			who += fmt.Sprintf(", API at %q", o.Address)
		}
		who += fmt.Sprintf(", since %s)", o.Started.Format(time.RFC3339))
	}
	return fmt.Sprintf("lock working directory %s: %s works in it; two agents would overwrite each other's files and state; "+
		"nothing was changed; stop that agent first, or give this one another working_dir", e.Dir, who)
}

// Acquire locks a working directory for owner; it makes the directory when there
// is none. If another agent has it, the error is a [*LockedError]. It never waits.
func Acquire(dir string, owner Owner) (*Lock, error) {
	path := filepath.Join(dir, dirName, lockName)
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("lock working directory %s: %w", dir, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock working directory %s: %w", dir, err)
	}
	l := &Lock{file: file, owner: owner}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = &LockedError{Dir: dir, Owner: readOwner(file)}
	case err != nil:
		err = fmt.Errorf("lock working directory %s: %w", dir, err)
	default:
		err = l.write()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return l, nil
}

// Announce tells where the API answers, once that is known.
func (l *Lock) Announce(address string) error {
	l.owner.Address = address
	return l.write()
}

// Release gives the directory free. The file stays: removing it could take away
// the lock of an agent that has just opened it.
func (l *Lock) Release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release working directory: %w", err)
	}
	return nil
}

// write replaces the file's content: text first, length second, so that a reader
// never finds it empty.
func (l *Lock) write() error {
	text, err := json.Marshal(l.owner)
	if err == nil {
		text = append(text, '\n')
		_, err = l.file.WriteAt(text, 0)
	}
	if err == nil {
		err = l.file.Truncate(int64(len(text)))
	}
	if err != nil {
		return fmt.Errorf("write lock file %s: %w", l.file.Name(), explain(err))
	}
	return nil
}

// readOwner reads who has the lock; the zero Owner when that cannot be told. Only
// the first JSON value counts: what follows may be the rest of a longer one.
func readOwner(file *os.File) (o Owner) {
	if err := json.NewDecoder(io.LimitReader(file, maxOwner)).Decode(&o); err != nil {
		return Owner{}
	}
	return o
}
