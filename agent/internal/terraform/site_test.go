package terraform

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// site stands in for releases.hashicorp.com: it has the given versions and no
// other path, and refuses everything but plain GET requests for what it has.
type site struct {
	*httptest.Server
	Key string

	mu    sync.Mutex
	asked []string
	files map[string]served
	// short lets the server hang up within an archive.
	short bool
}

type served struct {
	kind    string
	content []byte
}

// release is one version of Terraform on a site.
type release struct {
	version string
	// says is what the executable answers; "" is the version's own words.
	says string
	// arch is that of the build; "" is this machine's.
	arch string
}

func newSite(t *testing.T, list ...release) *site {
	t.Helper()
	signer, err := openpgp.NewEntity("Patchbay's tests", "", "tests@example.com", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{files: map[string]served{}, Key: armored(t, signer)}
	versions := map[string]any{}
	for _, r := range list {
		versions[r.version] = s.publish(t, signer, r)
	}
	s.put(t, "/terraform/index.json", map[string]any{"name": "terraform", "versions": versions})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, r.URL.Path)
		f, ok := s.files[r.URL.Path]
		if !ok || r.Method != http.MethodGet || r.URL.RawQuery != "" {
			t.Errorf("the site was asked %s %s", r.Method, r.URL)
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", f.kind)
		if s.short && f.kind == "application/zip" {
			w.Header().Set("Content-Length", strconv.Itoa(len(f.content)))
			f.content = f.content[:len(f.content)/2]
		}
		_, _ = w.Write(f.content)
	}))
	t.Cleanup(s.Close)
	return s
}

// publish adds the files of a release and gives its entry in an index.
func (s *site) publish(t *testing.T, signer *openpgp.Entity, r release) map[string]any {
	t.Helper()
	arch := r.arch
	if arch == "" {
		arch = runtime.GOARCH
	}
	says := r.says
	if says == "" {
		says = fmt.Sprintf("#!/bin/sh\ncase \"$*\" in\n\"version -json\") echo '{\"terraform_version\":%q}';;\nversion) echo 'Terraform v%s';;\n*) exit 1;;\nesac\n", r.version, r.version)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range map[string]string{"terraform": says, "LICENSE.txt": "a licence\n"} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir := "/terraform/" + r.version + "/"
	name := fmt.Sprintf("terraform_%s_%s_%s.zip", r.version, runtime.GOOS, arch)
	sums := fmt.Sprintf("%x  %s\n", sha256.Sum256(archive.Bytes()), name)
	var signature bytes.Buffer
	if err := openpgp.DetachSign(&signature, signer, strings.NewReader(sums), nil); err != nil {
		t.Fatal(err)
	}
	s.files[dir+name] = served{"application/zip", archive.Bytes()}
	base := "terraform_" + r.version + "_SHA256SUMS"
	s.files[dir+base] = served{"text/plain", []byte(sums)}
	s.files[dir+base+".sig"] = served{"application/octet-stream", signature.Bytes()}
	entry := map[string]any{"name": "terraform", "version": r.version, "shasums": base, "shasums_signature": base + ".sig",
		"builds": []any{map[string]any{"name": "terraform", "version": r.version, "os": runtime.GOOS, "arch": arch, "filename": name,
			"url": "https://releases.hashicorp.com" + dir + name}}}
	s.put(t, dir+"index.json", entry)
	return entry
}

func (s *site) put(t *testing.T, path string, value any) {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	s.files[path] = served{"application/json", content}
}

func armored(t *testing.T, e *openpgp.Entity) string {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err == nil {
		err = e.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
