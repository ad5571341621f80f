package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"patchbay/templates/internal/standin"
)

// wire is what the provider has after it was configured: its way to the device.
type wire struct {
	url, user, password, token string
	// pause is how long it waits before it tries again, poll between two looks at a task.
	pause, poll time.Duration
}

// retries is how often the provider tries again when the device is busy.
const retries = 10

// failure is an answer that is no success.
type failure struct {
	status  int
	message string
}

func (f failure) Error() string { return fmt.Sprintf("HTTP %d :: %s", f.status, f.message) }

// gone tells that the device has no such object.
func gone(err error) bool {
	f, is := err.(failure)
	return is && f.status == http.StatusNotFound
}

// login opens a session as the provider does at each start: with a token of its own
// unless it is told otherwise, and never ending one.
func login(ctx context.Context, config standin.Object, pause, poll time.Duration) (*wire, error) {
	w := &wire{
		url: config.String("address"), user: config.String("username"), password: config.String("password"),
		token: config.String("token_value"), pause: pause, poll: poll,
	}
	if auth, set := config["token_auth"].(bool); w.token == "" && (auth || !set) {
		var given struct{ Token struct{ Token string } }
		asked := map[string]any{"username": w.user, "password": w.password, "loginProviderName": cmp.Or(config.String("login_ref"), "tmos")}
		if err := w.call(ctx, http.MethodPost, "/mgmt/shared/authn/login", asked, &given); err != nil {
			return nil, err
		}
		w.token = given.Token.Token
		if err := w.call(ctx, http.MethodPatch, "/mgmt/shared/authz/tokens/"+w.token, map[string]any{"timeout": 1200}, nil); err != nil {
			return nil, err
		}
	}
	return w, w.call(ctx, http.MethodGet, "/mgmt/tm/net/self", nil, nil)
}

// call asks the device and decodes its answer into to, if that is not nil. A device
// that is busy is asked again.
func (w *wire) call(ctx context.Context, method, path string, body, to any) error {
	for n := 0; ; n++ {
		err := w.once(ctx, method, path, body, to)
		f, is := err.(failure)
		busy := is && (f.status == http.StatusServiceUnavailable || strings.Contains(f.message, "active asynchronous task"))
		if !busy || n == retries {
			return err
		}
		if err := rest(ctx, w.pause); err != nil {
			return err
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *wire) once(ctx context.Context, method, path string, body, to any) error {
	var content []byte
	if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	// The nodes of a list are emptied by a client that knows no token.
	if w.token != "" && !strings.HasSuffix(path, "/nodes/") {
		r.Header.Set("X-F5-Auth-Token", w.token)
	} else if !strings.HasSuffix(path, "/authn/login") {
		r.SetBasicAuth(w.user, w.password)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("call device: %w", err)
	}
	defer answer.Body.Close()
	content, err = io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if answer.StatusCode >= http.StatusBadRequest {
		var told struct{ Message string }
		if json.Unmarshal(content, &told) != nil || told.Message == "" {
			told.Message = string(content)
		}
		return failure{answer.StatusCode, told.Message}
	}
	if to == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.Unmarshal(content, to); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

// tilde is a full path as iControl REST takes it.
func tilde(path string) string {
	if !strings.HasPrefix(path, "/") {
		path = "/Common/" + path
	}
	return strings.ReplaceAll(path, "/", "~")
}
