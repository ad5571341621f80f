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
	"strings"
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
// else terraform and then tofu on PATH. An error says what to do.
func Find(ctx context.Context, c Choice) (Binary, error) {
	path, err := locate(c)
	if err != nil {
		return Binary{}, err
	}
	b, err := probe(ctx, path)
	if err != nil {
		return Binary{}, err
	}
	if want := strings.TrimPrefix(c.Version, "v"); want != "" && want != b.Version {
		b.Note = fmt.Sprintf("version %s of Terraform was asked for, %s %s at %s is used", want, b.Product, b.Version, b.Path)
	}
	return b, nil
}

func locate(c Choice) (string, error) {
	names := []string{"terraform", "tofu"}
	switch {
	case c.Binary != "":
		names = []string{c.Binary}
	case c.Path != "":
		names = []string{filepath.Join(c.Path, "terraform")}
	}
	var first error
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			return filepath.Abs(path)
		}
		if first == nil || !errors.Is(err, exec.ErrNotFound) {
			first = err
		}
	}
	switch {
	case c.Binary != "":
		return "", fmt.Errorf("find driver binary %q: %w; install it or set binary in driver \"terraform\" to the path of terraform or tofu", c.Binary, first)
	case c.Path != "":
		return "", fmt.Errorf("find terraform in %s: %w; put it there or remove path from driver \"terraform\" to search PATH", c.Path, first)
	}
	return "", fmt.Errorf("find terraform or tofu on PATH: %w; install Terraform %s or newer or OpenTofu, or set binary in driver \"terraform\"", first, minimum)
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
