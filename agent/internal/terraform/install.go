package terraform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"
)

const (
	// executable is the name of Terraform in a directory that is searched.
	executable = "terraform"
	// newest is the newest Terraform that is installed unless another version is
	// asked for: the last one that Consul-Terraform-Sync knows.
	newest = "1.14.3"
	// defaultSite is where Terraform is released.
	defaultSite = "https://releases.hashicorp.com"
	// installTime bounds a download and what follows, and maxDownload one answer of
	// the site in bytes.
	installTime = 10 * time.Minute
	maxDownload = 1 << 30
)

// Site is where Terraform is downloaded from. The zero Site is HashiCorp's own.
type Site struct {
	// URL has no slash at its end; below it everything lies as on
	// releases.hashicorp.com.
	URL string
	// Key is the armored OpenPGP key that signs the checksums; "" is HashiCorp's.
	Key string
	// Log tells of a download; nil logs nothing.
	Log hclog.Logger
}

// install puts Terraform into dir and gives it: the wanted version, or the newest
// that is supported when it is "". It is unpacked beside and renamed only after
// its checksum and the signature of that were verified and it told its version, so
// that nothing half or false is ever there to be found.
func (s Site) install(ctx context.Context, dir, want string) (b Binary, err error) {
	what := executable + " " + cmp.Or(want, "up to "+newest)
	defer func() {
		if err != nil {
			err = fmt.Errorf("install %s in %s: %w; nothing was started: let this host reach %s (through HTTPS_PROXY, if need be), or put an executable %s for %s/%s there yourself",
				what, dir, err, cmp.Or(s.URL, defaultSite), executable, runtime.GOOS, runtime.GOARCH)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, installTime)
	defer cancel()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Binary{}, fmt.Errorf("make directory: %w", err)
	}
	beside, err := os.MkdirTemp(dir, ".patchbay-install-")
	if err != nil {
		return Binary{}, fmt.Errorf("make temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	if s.Log != nil {
		s.Log.Info("began to install terraform", "version", cmp.Or(want, "newest up to "+newest), "dir", dir, "site", cmp.Or(s.URL, defaultSite))
	}
	path, err := s.download(ctx, beside, want)
	if err != nil {
		return Binary{}, err
	}
	if err := os.Chmod(path, 0o755); err != nil {
		return Binary{}, fmt.Errorf("make it executable: %w", err)
	}
	if b, err = probe(ctx, path); err != nil {
		return Binary{}, err
	}
	if want != "" && b.Version != want {
		return Binary{}, fmt.Errorf("the site gave version %s", b.Version)
	}
	b.Path = filepath.Join(dir, executable)
	if err := os.Rename(path, b.Path); err != nil {
		return Binary{}, fmt.Errorf("rename it: %w", err)
	}
	if s.Log != nil {
		s.Log.Info("terraform was installed", "version", b.Version, "path", b.Path)
	}
	return b, nil
}

// download unpacks a verified release into dir and gives the path of Terraform.
func (s Site) download(ctx context.Context, dir, want string) (string, error) {
	d := newDownload(dir)
	source, err := s.source(d, dir, want)
	if err != nil {
		return "", err
	}
	source.SetLogger(d.logger())
	_, err = source.Install(ctx)
	name := filepath.Join(dir, executable)
	return name, d.check(name, err)
}

// source is what this needs of hc-install.
type source interface {
	SetLogger(*log.Logger)
	Install(context.Context) (string, error)
}

func (s Site) source(d *download, dir, want string) (source, error) {
	if want == "" {
		supported, err := version.NewConstraint(fmt.Sprintf(">= %s, <= %s", minimum, newest))
		if err != nil {
			return nil, fmt.Errorf("parse supported versions: %w", err)
		}
		return &releases.LatestVersion{Product: product.Terraform, Constraints: supported, InstallDir: dir, Timeout: installTime,
			ApiBaseURL: s.URL, ArmoredPublicKey: s.Key, HTTPClient: d.client()}, nil
	}
	v, err := version.NewVersion(want)
	if err != nil {
		return nil, fmt.Errorf("parse version: %w", err)
	}
	return &releases.ExactVersion{Product: product.Terraform, Version: v, InstallDir: dir, Timeout: installTime,
		ApiBaseURL: s.URL, ArmoredPublicKey: s.Key, HTTPClient: d.client()}, nil
}

// checkWanted refuses a version that could be installed but not used.
func checkWanted(want string) error {
	v, err := version.NewVersion(want)
	if err != nil {
		return fmt.Errorf("parse wanted version of Terraform %q: %w", want, err)
	}
	if v.Core().LessThan(version.Must(version.NewVersion(minimum))) {
		return fmt.Errorf("install terraform %s: it is too old; nothing was started: set version in driver \"terraform\" to %s or newer, or remove it for the newest supported one", want, minimum)
	}
	return nil
}

// newer tells of a Terraform that is newer than all that were known.
func newer(b Binary) string {
	v, err := version.NewVersion(b.Version)
	if err != nil || b.Product != Terraform || !v.Core().GreaterThan(version.Must(version.NewVersion(newest))) {
		return ""
	}
	return fmt.Sprintf("Terraform %s at %s is newer than %s, the newest that Consul-Terraform-Sync supports; it is used", b.Version, b.Path, newest)
}

// joined gives the notes that are none of them empty as one.
func joined(notes ...string) string {
	var out []string
	for _, n := range notes {
		if n != "" {
			out = append(out, n)
		}
	}
	return strings.Join(out, "; ")
}
