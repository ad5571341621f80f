package plan

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// maxMember bounds a member of a plan file that is read, in bytes.
	maxMember = 256 << 20
	// planVersion is the format of tfplan that is known here.
	planVersion = 3
	// uiVersion is the known major version of the -json messages.
	uiVersion = "1."

	builtinProvider = "terraform.io/builtin/terraform"
	builtinType     = "terraform_data"
)

// ErrUnknown says that the plan file has something that is not known here.
// Terraform's own show must read it then.
var ErrUnknown = errors.New("plan file is not of the known kind")

// State identifies the state that a plan was made over.
type State struct {
	Serial  uint64 `json:"serial"`
	Lineage string `json:"lineage"`
}

// File is a saved plan: a zip with the state it was made over.
type File struct {
	State State
	// plan is Terraform's own message, planproto.Plan.
	plan []byte
}

// ReadFile reads the plan file at path. One that OpenTofu encrypted is an error.
func ReadFile(path string) (f File, err error) {
	r, err := zip.OpenReader(path)
	if err != nil {
		return File{}, fmt.Errorf("open plan file: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	state, err := member(&r.Reader, "tfstate")
	if err != nil {
		return File{}, err
	}
	if err := json.Unmarshal(state, &f.State); err != nil {
		return File{}, fmt.Errorf("read state in plan file: %w", err)
	}
	f.plan, err = member(&r.Reader, "tfplan")
	return f, err
}

func member(r *zip.Reader, name string) ([]byte, error) {
	m, err := r.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s in plan file: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(m, maxMember+1))
	err = errors.Join(err, m.Close())
	if err == nil && len(text) > maxMember {
		err = errors.New("it is too large")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s in plan file: %w", name, err)
	}
	return text, nil
}

// Contents reads the changes of a plan that has nothing but terraform_data and
// agrees with what the plan command said in m; else the error is [ErrUnknown].
func (f File) Contents(m *Messages) (Contents, error) {
	if m.odd || !strings.HasPrefix(m.ui, uiVersion) {
		return Contents{}, fmt.Errorf("%w: messages of the plan command", ErrUnknown)
	}
	objects, err := decodePlan(f.plan)
	if err != nil {
		return Contents{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if len(objects) != len(m.planned) {
		return Contents{}, fmt.Errorf("%w: %d changes in the file, %d announced", ErrUnknown, len(objects), len(m.planned))
	}
	for _, o := range objects {
		action, err := actionOf(o)
		if said, ok := m.planned[o.address]; err != nil || !ok || said != (planned{builtinType, string(action)}) {
			return Contents{}, fmt.Errorf("%w: %s was announced otherwise", ErrUnknown, o.address)
		}
	}
	return Contents{objects: objects}, nil
}
