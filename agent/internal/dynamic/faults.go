package dynamic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"
)

// Errors of Vault and Consul that show nothing of what was read. The library's own
// are not used: they hold the whole body where it is not JSON, and the address with
// the path, which a template may have made of a value.
var (
	errLarge  = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	errAnswer = errors.New("the answer cannot be understood")
)

// source is an error of the service that was asked.
type source struct {
	service string
	// text repeats nothing but, unless fixed, what the service said.
	text  string
	fixed bool
	// status is the answer's, 0 when there was none.
	status int
	cause  error
}

func (s *source) Error() string {
	if s.cause != nil {
		return s.service + ": " + s.text + ": " + s.cause.Error()
	}
	return s.service + ": " + s.text
}

// Unwrap gives the cause only where it is the caller's own.
func (s *source) Unwrap() error { return s.cause }

// hidden leaves out what a service said, as it may repeat the path.
func hidden(err error) error {
	var s *source
	if !errors.As(err, &s) {
		return err
	}
	h := *s
	switch {
	case s.status != 0:
		h.text = fmt.Sprintf("status %d %s", s.status, http.StatusText(s.status))
	case !s.fixed:
		h.text = "the value could not be read"
	}
	return &h
}

// ended tells why ctx is over.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("not done within %s: %w", patience, ctx.Err())
	}
	return ctx.Err()
}

func consulError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &source{service: "consul", text: "no answer", fixed: true, cause: ended(ctx)}
	}
	return &source{service: "consul", text: cut(err.Error())}
}

// denied tells whether Vault refused the token.
func denied(err error) bool {
	var s *source
	return errors.As(err, &s) && (s.status == http.StatusForbidden || s.status == http.StatusUnauthorized)
}

// vaultError makes an error of the client's safe to show. token is what must not
// be shown whatever Vault says.
func vaultError(ctx context.Context, err error, token string) error {
	var (
		answer *api.ResponseError
		dial   *url.Error
	)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &source{service: "vault", text: "no answer", fixed: true, cause: ended(ctx)}
	case errors.As(err, &answer):
		return &source{service: "vault", text: answered(answer, token), status: answer.StatusCode}
	case errors.Is(err, errLarge):
		return &source{service: "vault", text: errLarge.Error(), fixed: true}
	case errors.As(err, &dial):
		return &source{service: "vault", text: cut(dial.Err.Error()), fixed: true}
	}
	return &source{service: "vault", text: errAnswer.Error(), fixed: true}
}

func answered(e *api.ResponseError, token string) string {
	text := fmt.Sprintf("status %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	if said := strings.Join(e.Errors, "; "); said != "" && !e.RawError {
		if token != "" {
			said = strings.ReplaceAll(said, token, "<secret>")
		}
		text += " (" + cut(said) + ")"
	}
	if e.StatusCode == http.StatusForbidden {
		text += "; the token has no right to this, has expired or was revoked; nothing was run; give Patchbay another token or the right"
	}
	return text
}
