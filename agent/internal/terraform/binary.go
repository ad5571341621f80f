package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-version"
)

// The products that [Find] knows.
const (
	Terraform = "Terraform"
	OpenTofu  = "OpenTofu"
)

// minimum is the oldest Terraform whose plan JSON is complete enough to review;
// every OpenTofu is newer.
const minimum = "1.5.0"

// probeTime bounds the question for a version.
const probeTime = 30 * time.Second

// Choice says which executable to use.
type Choice struct {
	// Binary is a name or path; it wins.
	Binary string
	// Path is a directory whose terraform is used; PATH is not searched then.
	Path string
	// Version is the wanted version; another one is used with [Binary.Note].
	Version string
	// Site lets a terraform that is not in Path be installed there, or in Home when
	// Path is "", a Version is wanted and PATH has none; nil installs nothing.
	Site *Site
	// Home is a directory that is searched after PATH, but only for what was
	// installed there: when a Version is wanted.
	Home string
	// Newer adds a note on a Terraform that is newer than all that
	// Consul-Terraform-Sync supports.
	Newer bool
}

// Binary is an executable that was found and asked for its version.
type Binary struct {
	// Path is absolute.
	Path string
	// Product is Terraform or OpenTofu.
	Product string
	// Version is without a leading v, such as 1.11.4.
	Version string
	// Note is a sentence for the log when the version is not the wanted one.
	Note string

	stamp string
}

// Find looks for the executable that c names: c.Binary, else terraform in c.Path,
// else terraform and then tofu on PATH. What is not there is installed when c says
// so. An error says what to do.
func Find(ctx context.Context, c Choice) (Binary, error) {
	want := strings.TrimPrefix(c.Version, "v")
	b, err := search(ctx, c)
	if dir := c.home(); errors.Is(err, errAbsent) && dir != "" && c.Site != nil {
		if want != "" {
			if err := checkWanted(want); err != nil {
				return Binary{}, err
			}
		}
		b, err = c.Site.install(ctx, dir, want)
	}
	if err != nil {
		return Binary{}, err
	}
	if want != "" && want != b.Version {
		b.Note = fmt.Sprintf("version %s of Terraform was asked for, %s %s at %s is used", want, b.Product, b.Version, b.Path)
	}
	if c.Newer {
		b.Note = joined(b.Note, newer(b))
	}
	return b, nil
}

// errAbsent tells that there is nothing where Terraform was looked for.
var errAbsent = errors.New("there is none")

// home is the directory in which Terraform may be installed; "" is none.
func (c Choice) home() string {
	switch {
	case c.Binary != "":
		return ""
	case c.Path != "":
		return c.Path
	case c.Version != "":
		return c.Home
	}
	return ""
}

// search finds what is there already.
func search(ctx context.Context, c Choice) (Binary, error) {
	path, err := locate(c)
	if err != nil {
		return Binary{}, err
	}
	return probe(ctx, path)
}

func locate(c Choice) (string, error) {
	switch {
	case c.Binary != "":
		path, err := lookUp(c.Binary)
		if err != nil {
			return "", fmt.Errorf("find driver binary %q: %w; install it or set binary in driver \"terraform\" to the path of terraform or tofu", c.Binary, err)
		}
		return path, nil
	case c.Path != "":
		path, err := lookUp(filepath.Join(c.Path, executable))
		if err != nil {
			return "", fmt.Errorf("find terraform in %s: %w; put it there or set path in driver \"terraform\" to its directory", c.Path, err)
		}
		return path, nil
	}
	names := []string{executable, "tofu"}
	if home := c.home(); home != "" {
		names = append(names, filepath.Join(home, executable))
	}
	var first error
	for _, name := range names {
		path, err := lookUp(name)
		if err == nil {
			return path, nil
		}
		if first == nil || !errors.Is(err, errAbsent) {
			first = err
		}
	}
	return "", fmt.Errorf("find terraform or tofu on PATH: %w; install Terraform %s or newer or OpenTofu, or set binary in driver \"terraform\"", first, minimum)
}

// lookUp gives the absolute path of an executable. What is there but cannot be
// used, such as a symbolic link to nothing, is not absent.
func lookUp(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return filepath.Abs(path)
	}
	cause := err
	if e, ok := errors.AsType[*exec.Error](err); ok {
		cause = e.Err
	}
	absent := errors.Is(err, exec.ErrNotFound)
	if strings.ContainsRune(name, filepath.Separator) {
		_, serr := os.Lstat(name)
		absent = errors.Is(serr, fs.ErrNotExist)
	}
	if absent {
		return "", fmt.Errorf("%w: %w", errAbsent, cause)
	}
	return "", cause
}

// versionLine is the first line of the version command. Its -json form does not
// tell Terraform and OpenTofu apart.
var versionLine = regexp.MustCompile(`(?m)^(Terraform|OpenTofu) v([0-9][0-9A-Za-z.+-]*)`)

func probe(ctx context.Context, path string) (Binary, error) {
	stamp, err := stampOf(path)
	if err != nil {
		return Binary{}, fmt.Errorf("read executable: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "version")
	for k, v := range newEnvironment(os.Environ()).vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	m := versionLine.FindSubmatch(out)
	if err != nil || m == nil {
		if err == nil {
			err = errors.New("its output names neither Terraform nor OpenTofu")
		}
		if errors.Is(err, syscall.ENOEXEC) {
			err = fmt.Errorf("%w: is it built for %s/%s?", err, runtime.GOOS, runtime.GOARCH)
		}
		return Binary{}, fmt.Errorf("ask %s for its version: %w; set binary in driver \"terraform\" to a working terraform or tofu", path, err)
	}
	b := Binary{Path: path, Product: string(m[1]), Version: string(m[2]), stamp: stamp}
	v, err := version.NewVersion(b.Version)
	if err != nil {
		return Binary{}, fmt.Errorf("parse version of %s: %w", path, err)
	}
	if v.Core().LessThan(version.Must(version.NewVersion(minimum))) {
		return Binary{}, fmt.Errorf("use %s %s at %s: it is too old; install %s or newer, or OpenTofu, or set binary in driver \"terraform\" to one", b.Product, b.Version, path, minimum)
	}
	return b, nil
}

// stampOf changes when the executable at path is replaced.
func stampOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return stamp(info), nil
}

func stamp(info fs.FileInfo) string {
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}
