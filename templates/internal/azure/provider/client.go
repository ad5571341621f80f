package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/azure/rules"
)

// apiVersion is of all requests: the stand-in takes any that looks like one.
const apiVersion = "2025-01-01"

// pollEvery is how long Azure's SDK waits before each poll, also the first.
const pollEvery = 10 * time.Second

// client makes requests as Azure's SDK does. Where that waits, it only counts the time.
type client struct {
	server *azure.Server
	http   *http.Client
	token  string
	// persist keeps the id of an object whose creation failed half way.
	persist bool
	// pools is held while the entries of a backend pool are changed.
	pools sync.Mutex
}

// login asks where everything is and for a token.
func login(ctx context.Context, s *azure.Server) (*client, error) {
	c := &client{server: s, http: s.Client()}
	where, _, err := c.send(ctx, http.MethodGet, "https://"+s.Host()+"/metadata/endpoints?api-version=2022-09-01", nil)
	if err != nil {
		return nil, fmt.Errorf("retrieving metadata: %w", err)
	}
	authentication, _ := where["authentication"].(azure.Body)
	form := azure.Credentials()
	form.Set("scope", rules.Text(where, "resourceManager")+".default")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, rules.Text(authentication, "loginEndpoint")+"/"+azure.Tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	pass, _, err := c.once(r)
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	c.token = rules.Text(pass, "access_token")
	return c, nil
}

func (c *client) wait(header http.Header, every time.Duration) {
	if header.Get(azure.SkipDelay) == "true" {
		return
	}
	c.server.Pass(every)
}

// status is an answer that is no success.
type status struct {
	code  int
	said  string
	after time.Duration
}

func (e *status) Error() string {
	return fmt.Sprintf("unexpected status %d (%s) with error: %s", e.code, http.StatusText(e.code), e.said)
}

// send makes a request again while the answer is that it should: too many requests, a
// server's error, no answer.
func (c *client) send(ctx context.Context, method, address string, body any) (azure.Body, http.Header, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return nil, nil, fmt.Errorf("encode request: %w", err)
	}
	for tries := 1; ; tries++ {
		r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(content))
		if err != nil {
			return nil, nil, fmt.Errorf("make request: %w", err)
		}
		if body == nil {
			r.Body, r.ContentLength = http.NoBody, 0
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+c.token)
		out, header, err := c.once(r)
		e, isStatus := err.(*status)
		if err == nil || tries == 5 || isStatus && e.code != http.StatusTooManyRequests && e.code < 500 {
			return out, header, err
		}
		if isStatus {
			c.wait(http.Header{}, cmp.Or(e.after, time.Second))
		}
	}
}

func (c *client) once(r *http.Request) (azure.Body, http.Header, error) {
	a, err := c.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer a.Body.Close()
	content, err := io.ReadAll(a.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("read answer: %w", err)
	}
	out := azure.Body{}
	if len(content) > 0 {
		if err := json.Unmarshal(content, &out); err != nil {
			return nil, nil, fmt.Errorf("decode answer: %w", err)
		}
	}
	if a.StatusCode >= 300 {
		said, _ := out["error"].(azure.Body)
		seconds, _ := strconv.Atoi(a.Header.Get("Retry-After"))
		return nil, a.Header, &status{code: a.StatusCode, said: rules.Text(said, "code") + ": " + rules.Text(said, "message"), after: time.Duration(seconds) * time.Second}
	}
	return out, a.Header, nil
}

func (c *client) url(id string) string {
	return "https://" + c.server.Host() + id + "?api-version=" + apiVersion
}

// get gives an object, nil if there is none.
func (c *client) get(ctx context.Context, id string) (azure.Body, error) {
	out, _, err := c.send(ctx, http.MethodGet, c.url(id), nil)
	if e, ok := err.(*status); ok && e.code == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("retrieving %s: %w", id, err)
	}
	return out, nil
}

// put writes an object and waits until it is done. began says that ARM took the request.
func (c *client) put(ctx context.Context, id string, body azure.Body) (began bool, err error) {
	_, header, err := c.send(ctx, http.MethodPut, c.url(id), body)
	if err != nil {
		return false, fmt.Errorf("performing CreateOrUpdate of %s: %w", id, err)
	}
	if err := c.follow(ctx, header, id); err != nil {
		return true, fmt.Errorf("polling after CreateOrUpdate of %s: %w", id, err)
	}
	return true, nil
}

// remove deletes an object; unless direct it waits until it is gone.
func (c *client) remove(ctx context.Context, id string, direct bool) error {
	_, header, err := c.send(ctx, http.MethodDelete, c.url(id), nil)
	switch {
	case err == nil && header.Get("Azure-AsyncOperation") != "":
		err = c.follow(ctx, header, "")
	case err == nil && !direct:
		err = c.gone(ctx, header, id)
	}
	if err != nil {
		return fmt.Errorf("deleting %s: %w", id, err)
	}
	return nil
}

// gone polls until an object is not there.
func (c *client) gone(ctx context.Context, header http.Header, id string) error {
	for {
		c.wait(header, pollEvery)
		if has, err := c.get(ctx, id); err != nil || has == nil {
			return err
		}
	}
}

// follow polls an operation, or else the state of the object if it has an id, until it
// is done.
func (c *client) follow(ctx context.Context, header http.Header, id string) error {
	address := header.Get("Azure-AsyncOperation")
	if address == "" && id == "" {
		return nil
	}
	for {
		c.wait(header, pollEvery)
		out, _, err := c.send(ctx, http.MethodGet, cmp.Or(address, c.url(id)), nil)
		if err != nil {
			return err
		}
		properties, _ := out["properties"].(azure.Body)
		switch state := cmp.Or(rules.Text(properties, "provisioningState"), rules.Text(out, "status")); state {
		case "Succeeded", "":
			return nil
		case "Failed", "Canceled":
			said, _ := out["error"].(azure.Body)
			return fmt.Errorf("the operation ended as %s: %s: %s", state, rules.Text(said, "code"), rules.Text(said, "message"))
		}
	}
}
