package terraform

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

// choice makes the choice to search dir and to install from the site.
func (s *site) choice(dir, want string) Choice {
	return Choice{Path: dir, Version: want, Newer: true, Site: &Site{URL: s.URL, Key: s.Key}}
}

// names lists what is in a directory.
func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestTerraformThatIsNotThereIsInstalled(t *testing.T) {
	all := []release{{version: "1.4.7"}, {version: "1.9.8"}, {version: "1.14.3"}, {version: "1.14.4-rc1"}, {version: "1.15.0"}}
	for sentence, c := range map[string]struct {
		want, version, note string
	}{
		"the newest supported one":       {"", "1.14.3", ""},
		"the version that is asked for":  {"1.9.8", "1.9.8", ""},
		"a version with a v before it":   {"v1.9.8", "1.9.8", ""},
		"a newer one when it is wanted":  {"1.15.0", "1.15.0", "Terraform 1.15.0 at DIR/terraform is newer than 1.14.3, the newest that Consul-Terraform-Sync supports; it is used"},
		"a prerelease when it is wanted": {"1.14.4-rc1", "1.14.4-rc1", "Terraform 1.14.4-rc1 at DIR/terraform is newer than 1.14.3, the newest that Consul-Terraform-Sync supports; it is used"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s, dir, log := newSite(t, all...), filepath.Join(t.TempDir(), "new", "bin"), &buffer{}
			choice := s.choice(dir, c.want)
			choice.Site.Log = hclog.New(&hclog.LoggerOptions{Output: log})
			got, err := Find(t.Context(), choice)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Find(t.Context(), Choice{Path: dir, Newer: true})
			if err != nil {
				t.Fatalf("what was installed is not found: %v", err)
			}
			if got != again {
				t.Errorf("the next start finds %+v, the first %+v", again, got)
			}
			got.stamp = ""
			want := Binary{Path: filepath.Join(dir, "terraform"), Product: Terraform, Version: c.version, Note: strings.ReplaceAll(c.note, "DIR", dir)}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if diff := cmp.Diff([]string{"terraform"}, names(t, dir)); diff != "" {
				t.Errorf("what lies in the directory (-want +got):\n%s", diff)
			}
			if info, err := os.Stat(want.Path); err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("mode is %v, %v", info.Mode(), err)
			}
			if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "terraform was installed: version="+c.version) {
				t.Errorf("log is:\n%s", text)
			}
		})
	}
}

func TestWhatIsThereIsUsedAndNothingIsDownloaded(t *testing.T) {
	dir, bin, empty := t.TempDir(), t.TempDir(), t.TempDir()
	here := fake(t, dir, "terraform", "Terraform v1.9.8")
	onPath := fake(t, bin, "tofu", "OpenTofu v1.12.6")
	later := t.TempDir()
	newTerraform := fake(t, later, "terraform", "Terraform v1.20.1")
	for sentence, c := range map[string]struct {
		path   string
		choice func(*site) Choice
		want   Binary
	}{
		"in the directory, though PATH has another": {bin, func(s *site) Choice { return s.choice(dir, "") }, Binary{Path: here, Product: Terraform, Version: "1.9.8"}},
		"another version is used with a note": {bin, func(s *site) Choice { return s.choice(dir, "1.2.0") },
			Binary{Path: here, Product: Terraform, Version: "1.9.8", Note: "version 1.2.0 of Terraform was asked for, Terraform 1.9.8 at " + here + " is used"}},
		"a newer one than is known is used with a note": {bin, func(s *site) Choice { return s.choice(later, "") },
			Binary{Path: newTerraform, Product: Terraform, Version: "1.20.1", Note: "Terraform 1.20.1 at " + newTerraform + " is newer than 1.14.3, the newest that Consul-Terraform-Sync supports; it is used"}},
		"on PATH, though a version is wanted": {bin, func(s *site) Choice {
			c := s.choice("", "1.9.8")
			c.Home = empty
			return c
		}, Binary{Path: onPath, Product: OpenTofu, Version: "1.12.6", Note: "version 1.9.8 of Terraform was asked for, OpenTofu 1.12.6 at " + onPath + " is used"}},
		"where it was installed before": {empty, func(s *site) Choice {
			c := s.choice("", "1.9.8")
			c.Home = dir
			return c
		}, Binary{Path: here, Product: Terraform, Version: "1.9.8"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Setenv("PATH", c.path+":/bin")
			s := newSite(t, release{version: "1.14.3"})
			got, err := Find(t.Context(), c.choice(s))
			got.stamp = ""
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
			if len(s.asked) > 0 {
				t.Errorf("the site was asked %v", s.asked)
			}
		})
	}
}

func TestAWantedVersionIsInstalledInTheHomeWhenPATHHasNone(t *testing.T) {
	t.Setenv("PATH", t.TempDir()+":/bin")
	s, home := newSite(t, release{version: "1.9.8"}), t.TempDir()
	choice := s.choice("", "1.9.8")
	choice.Home = home
	for range 2 {
		got, err := Find(t.Context(), choice)
		if err != nil || got.Path != filepath.Join(home, "terraform") || got.Version != "1.9.8" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if n := len(s.asked); n != 4 { // index, signature, checksums, archive, each once
		t.Errorf("the site was asked %v", s.asked)
	}
}

func TestNothingIsInstalledUnlessPathOrVersionAsksForIt(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", t.TempDir()+":/bin")
	dangling := t.TempDir()
	if err := os.Symlink(filepath.Join(dangling, "gone"), filepath.Join(dangling, "terraform")); err != nil {
		t.Fatal(err)
	}
	plain := t.TempDir()
	if err := os.WriteFile(filepath.Join(plain, "terraform"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		choice Choice
		want   string
	}{
		"neither is set":                 {Choice{Home: bin}, "install Terraform 1.5.0 or newer or OpenTofu"},
		"a binary is named":              {Choice{Binary: "absent", Version: "1.9.8", Home: bin}, `find driver binary "absent"`},
		"a link to nothing lies there":   {Choice{Path: dangling, Home: bin}, "no such file or directory"},
		"a file without the right to it": {Choice{Path: plain, Home: bin}, "permission denied"},
		"the version cannot be used":     {Choice{Path: bin, Version: "1.2.3"}, `it is too old; nothing was started: set version in driver "terraform" to 1.5.0 or newer`},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newSite(t, release{version: "1.9.8"})
			c.choice.Site = &Site{URL: s.URL, Key: s.Key}
			got, err := Find(t.Context(), c.choice)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v, want %q", got, err, c.want)
			}
			if found := names(t, bin); len(s.asked) > 0 || len(found) > 0 {
				t.Errorf("the site was asked %v, %v was made", s.asked, found)
			}
		})
	}
}

func TestAnInstallationThatFailsLeavesNothingAndTellsWhatToDo(t *testing.T) {
	const archive = "/terraform/1.9.8/terraform_1.9.8_SHA256SUMS"
	stranger := newSite(t, release{version: "1.9.8"})
	for sentence, c := range map[string]struct {
		release release
		want    string
		spoil   func(*site)
		told    string
	}{
		"the archive is not the signed one": {release{version: "1.9.8"}, "1.9.8", func(s *site) {
			for path, f := range s.files {
				if strings.HasSuffix(path, ".zip") {
					f.content = append([]byte{'x'}, f.content...)
					s.files[path] = f
				}
			}
		}, "checksum mismatch"},
		"the checksums are not the signed ones": {release{version: "1.9.8"}, "1.9.8", func(s *site) {
			f := s.files[archive]
			f.content = append(f.content, '\n')
			s.files[archive] = f
		}, "unable to verify checksums signature"},
		"somebody else signed": {release{version: "1.9.8"}, "1.9.8", func(s *site) { s.Key = stranger.Key }, "unable to verify checksums signature"},
		"the index is no JSON": {release{version: "1.9.8"}, "1.9.8", func(s *site) {
			s.files["/terraform/1.9.8/index.json"] = served{"application/json", []byte("<html>")}
		}, "failed to unmarshal"},
		"the archive ends too early":        {release{version: "1.9.8"}, "1.9.8", func(s *site) { s.short = true }, "download archive: unexpected EOF"},
		"the site is not there":             {release{version: "1.9.8"}, "1.9.8", func(s *site) { s.Close() }, "connection refused"},
		"none is supported":                 {release{version: "1.15.0"}, "", nil, "no matching version found"},
		"none is built for this machine":    {release{version: "1.9.8", arch: "vax"}, "1.9.8", nil, "no ZIP archive found for terraform 1.9.8"},
		"it is built for another one":       {release{version: "1.9.8", says: "\x7fELF for a VAX"}, "1.9.8", nil, "is it built for"},
		"it says that it is another one":    {release{version: "1.9.8", says: "#!/bin/sh\necho Terraform v1.9.7\n"}, "1.9.8", nil, "the site gave version 1.9.7"},
		"it says that it is something else": {release{version: "1.9.8", says: "#!/bin/sh\necho hello\n"}, "1.9.8", nil, "names neither Terraform nor OpenTofu"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s, dir := newSite(t, c.release), t.TempDir()
			if c.spoil != nil {
				c.spoil(s)
			}
			got, err := Find(t.Context(), s.choice(dir, c.want))
			if err == nil || !strings.Contains(err.Error(), c.told) {
				t.Fatalf("got %+v, %v, want %q", got, err, c.told)
			}
			for _, text := range []string{"in " + dir, "nothing was started", "let this host reach " + s.URL, "put an executable terraform for "} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error lacks %q: %v", text, err)
				}
			}
			if found := names(t, dir); len(found) > 0 {
				t.Errorf("%v was left behind", found)
			}
		})
	}
}

func TestAnInstallationEndsWithItsContext(t *testing.T) {
	s, dir := newSite(t, release{version: "1.9.8"}), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := Find(ctx, s.choice(dir, "1.9.8")); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %+v, %v", got, err)
	}
	if found := names(t, dir); len(found) > 0 {
		t.Errorf("%v was left behind", found)
	}
}

func TestAnAnswerOfTheSiteIsBounded(t *testing.T) {
	for limit, want := range map[int64]string{10: "too large", maxDownload: ""} {
		s, dir := newSite(t, release{version: "1.9.8"}), t.TempDir()
		d := newDownload(dir)
		d.limit = limit
		from, err := Site{URL: s.URL, Key: s.Key}.source(d, dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := from.Install(t.Context()); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("with a limit of %d the error is %v", limit, err)
		}
	}
}

func TestErrorsThatTheLibraryLosesAreNoticed(t *testing.T) {
	const size = 150
	for sentence, c := range map[string]struct {
		unpacked string // "" is none
		spoil    func(*download)
		want     string
	}{
		"the archive was cut off":            {"", func(d *download) { d.cut = io.ErrUnexpectedEOF }, "download archive: unexpected EOF"},
		"nothing was unpacked":               {"", nil, "there is no terraform in it, or no room for it"},
		"half of it was unpacked":            {strings.Repeat("x", size/2), nil, "75 of 150 bytes came out right; is there room in the directory?"},
		"something else was unpacked":        {strings.Repeat("y", size), nil, "150 of 150 bytes came out right"},
		"all of it was unpacked":             {strings.Repeat("x", size), nil, ""},
		"the copy of the archive is no copy": {strings.Repeat("x", size), func(d *download) { d.archive += "y" }, "read archive"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s, dir := newSite(t, release{version: "1.9.8", says: strings.Repeat("x", size)}), t.TempDir()
			d, name := newDownload(dir), filepath.Join(dir, "terraform")
			from, err := Site{URL: s.URL, Key: s.Key}.source(d, dir, "1.9.8")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := from.Install(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			err = fs.ErrNotExist
			if c.unpacked != "" {
				err = os.WriteFile(name, []byte(c.unpacked), 0o600)
			}
			if c.spoil != nil {
				c.spoil(d)
			}
			if err := d.check(name, err); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}
