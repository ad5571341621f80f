package tasks

import "github.com/zclconf/go-cty/cty"

const redacted = "<secret>"

// Secret is a text that must not be seen: it prints, logs and marshals as
// <secret>. Only [Secret.Reveal] gives it.
type Secret struct{ text string }

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal gives the hidden text, for the one place that must have it.
func (s Secret) Reveal() string { return s.text }

// Empty tells whether there is no text.
func (s Secret) Empty() bool { return s.text == "" }

// String gives <secret>, or "" when there is none.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return redacted
}

// GoString keeps %#v from showing the text.
func (s Secret) GoString() string { return s.String() }

// MarshalText gives [Secret.String].
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// SecretValue is a value that must not be seen, such as a provider's arguments.
type SecretValue struct{ value cty.Value }

// NewSecretValue hides v.
func NewSecretValue(v cty.Value) SecretValue { return SecretValue{v} }

// Reveal gives the hidden value; cty.NilVal when there is none.
func (s SecretValue) Reveal() cty.Value { return s.value }

// String gives <secret>.
func (s SecretValue) String() string { return redacted }

// GoString keeps %#v from showing the value.
func (s SecretValue) GoString() string { return redacted }

// MarshalText gives <secret>.
func (s SecretValue) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Provider is one terraform_provider block.
type Provider struct {
	Name, Alias string
	// Arguments is an object: attributes as they are; a nested block is a tuple
	// of objects, one per block.
	Arguments SecretValue
	// Env is the environment that only this provider's tasks get.
	Env map[string]Secret
}

// ID is name or name.alias, as a task's providers list has it.
func (p Provider) ID() string {
	if p.Alias == "" {
		return p.Name
	}
	return p.Name + "." + p.Alias
}
