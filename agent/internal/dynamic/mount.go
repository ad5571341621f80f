package dynamic

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/hashicorp/vault/api"
)

// mount is where a secret's engine is mounted; v2 is for KV version 2, whose paths
// have data or metadata behind the mount. The zero mount leaves paths alone.
type mount struct {
	path string // without slashes at its ends
	v2   bool
}

// mount asks Vault once per path. A token without the right to know, or a Vault that
// is too old, leaves the path as it is written; an error is that of a Vault that
// did not answer.
func (v *vault) mount(ctx context.Context, client *api.Client, p string) (mount, error) {
	v.mu.Lock()
	m, ok := v.mounts[p]
	v.mu.Unlock()
	if ok {
		return m, nil
	}
	s, err := client.Logical().ReadWithContext(ctx, "sys/internal/ui/mounts/"+p)
	var refused *api.ResponseError
	switch {
	case errors.As(err, &refused) || err == nil && s == nil:
		return mount{}, nil
	case err != nil:
		return mount{}, err
	}
	at, _ := s.Data["path"].(string)
	kind, _ := s.Data["type"].(string)
	options, _ := s.Data["options"].(map[string]any)
	m = mount{path: strings.Trim(at, "/"), v2: kind == "kv" && options["version"] == "2"}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.mounts) >= maxLeases {
		clear(v.mounts)
	}
	v.mounts[p] = m
	return m, nil
}

func (v *vault) unmount(p string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.mounts, p)
}

// data is the path to read; namespace is the client's, which Vault may put before
// the mount although requests carry it already.
func (m mount) data(p, namespace string) string {
	below, ok := m.below(p, namespace)
	if !ok || hasPart(below, "data") || hasPart(below, "metadata") || hasPart(below, "subkeys") {
		return p
	}
	return path.Join(strings.TrimSuffix(p, below), "data", below)
}

// metadata is the path to list.
func (m mount) metadata(p string) string {
	below, ok := m.below(p, "")
	if !ok || hasPart(below, "metadata") {
		return p
	}
	return path.Join(strings.TrimSuffix(p, below), "metadata", below)
}

func (m mount) below(p, namespace string) (string, bool) {
	if !m.v2 {
		return "", false
	}
	at := m.path
	if ns := strings.Trim(namespace, "/"); ns != "" && !strings.HasPrefix(p+"/", at+"/") {
		at = strings.TrimPrefix(at, ns+"/")
	}
	if p == at {
		return "", true
	}
	return strings.CutPrefix(p, at+"/")
}

func hasPart(p, first string) bool { return p == first || strings.HasPrefix(p, first+"/") }
