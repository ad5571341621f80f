package consul

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
)

// maxToken bounds the file of a token, in bytes; a token is some 40, a JWT some 1,000.
const maxToken = 64 << 10

// tokens give the token of each request. A token file is read each time: whoever
// rotates the token writes it there, and asks nobody for a restart.
type tokens struct {
	log hclog.Logger

	mu   sync.Mutex
	file string       // absolute; "" for none
	good tasks.Secret // the newest that was read
	// failing: a failure was told and is not told again.
	failing bool
}

func newTokens(cfg config.Consul, log hclog.Logger) *tokens {
	return &tokens{log: log, file: cfg.TokenFile, good: cfg.Token}
}

// current gives the token that counts now. While its file cannot be read, or is
// empty because it is being written, the last one stays.
func (t *tokens) current() tasks.Secret {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == "" {
		return t.good
	}
	token, err := readToken(t.file)
	switch {
	case err != nil && !t.failing:
		t.failing = true
		t.log.Warn("consul token file was not read, the last token stays", "err", err, "next", "mend the file: it is read again with each request")
	case err == nil:
		if token != t.good {
			t.log.Info("consul token was taken from its file anew")
		}
		t.good, t.failing = token, false
	}
	return t.good
}

// use takes the token of a changed configuration from the next request on.
func (t *tokens) use(cfg config.Consul) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.file, t.good, t.failing = cfg.TokenFile, cfg.Token, false
}

func readToken(path string) (tasks.Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return tasks.Secret{}, fmt.Errorf("read consul token: %w", err)
	}
	if !info.Mode().IsRegular() { // a pipe would be waited for
		return tasks.Secret{}, fmt.Errorf("read consul token: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return tasks.Secret{}, fmt.Errorf("read consul token: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err == nil && strings.TrimSpace(string(text)) == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return tasks.Secret{}, fmt.Errorf("read consul token from %s: %w", path, err)
	}
	return tasks.NewSecret(strings.TrimSpace(string(text))), nil
}

// Token is the token that the next request brings; empty when there is none.
func (c *Client) Token() tasks.Secret { return c.tokens.current() }

// UseToken takes the token of a changed configuration, and nothing else of it, from
// the next request on.
func (c *Client) UseToken(cfg config.Consul) { c.tokens.use(cfg) }

// anonymous tells that there is no token.
func (c *Client) anonymous() bool { return c.Token().Empty() }
