package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
)

// maxRights is how many rights Consul judges in one request.
const maxRights = 64

// right is one right that the configuration uses, as Consul's authorize endpoint
// asks for it. An empty segment means all.
type right struct {
	Resource, Access, Segment string
}

func (r right) String() string {
	s := r.Resource + ":" + r.Access
	if r.Segment == "" {
		return s + " on all " + r.Resource + "s"
	}
	return fmt.Sprintf("%s on %q", s, r.Segment)
}

// AdviseToken asks Consul what the token may do and logs, as advice and nothing
// more, what is wrong with it: refused, missing, about to expire, or without a right
// that wants or the registration need in Consul's own datacenter and namespace. It
// changes nothing and returns when that is told; call it once at the start.
func (c *Client) AdviseToken(ctx context.Context, wants []catalog.Want, r Registration) {
	var self *api.ACLToken
	err := c.local(ctx, func(ctx context.Context) (err error) {
		self, _, err = c.api.ACL().TokenReadSelf((&api.QueryOptions{}).WithContext(ctx))
		return err
	})
	var status api.StatusError
	switch refused := errors.As(err, &status) && status.Code == http.StatusForbidden; {
	case refused && c.anonymous():
		c.log.Warn("no consul token was configured though Consul checks rights", "next",
			"set consul { token }; until then what Consul may hide is not believed, and what it refuses is tried again")
		return
	case refused:
		c.log.Warn("consul refused the token", "err", status.Body[:min(maxQuoted, len(status.Body))], "next",
			"the token was deleted, has expired or was never there: set another one; until then nothing is changed")
		return
	case err != nil: // 401 where rights are not checked at all
		c.log.Debug("consul token could not be read", "err", err)
		return
	}
	if at := self.ExpirationTime; at != nil {
		c.log.Warn("consul token expires", "at", at.Format(time.RFC3339), "next", "set another token before that and restart")
	}
	missing, err := c.missing(ctx, needed(wants, r))
	if err != nil {
		c.log.Debug("rights of the consul token could not be read", "err", err)
		return
	}
	if len(missing) > 0 {
		c.log.Warn("consul token lacks rights", "missing", strings.Join(missing, ", "), "next",
			"give the token these rights; until then what needs them keeps its last good answer")
	}
}

// needed lists the rights that wants and the registration use, each once.
func needed(wants []catalog.Want, r Registration) (out []right) {
	add := func(resource, access, segment string) {
		if n := (right{resource, access, segment}); !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	for _, w := range wants {
		queries, _ := w.Queries(nil)
		_, selects := w.(catalog.Selector)
		for _, q := range queries {
			if q.Datacenter != "" || q.Namespace != "" {
				continue
			}
			switch q.Kind {
			case catalog.ServiceHealth, catalog.ServiceNames:
				add("service", "read", q.Name)
			case catalog.KVKey, catalog.KVPrefix:
				add("key", "read", q.Name)
			}
			if selects || q.Kind == catalog.ServiceHealth || q.Kind == catalog.NodeNames || q.NodeMeta != "" {
				add("node", "read", "")
			}
		}
	}
	if r.Enabled {
		add("service", "write", r.Name)
	}
	return out
}

// missing asks which of the rights the token lacks; it asks about the first 64.
func (c *Client) missing(ctx context.Context, rights []right) (out []string, err error) {
	if len(rights) == 0 {
		return nil, nil
	}
	rights = rights[:min(maxRights, len(rights))]
	var allowed []bool
	err = c.local(ctx, func(ctx context.Context) (err error) {
		allowed, err = c.authorize(ctx, c.conns, rights)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the token's rights: %w", err)
	}
	for n, ok := range allowed {
		if !ok {
			out = append(out, rights[n].String())
		}
	}
	return out, nil
}

// baseURL is where the HTTP API of Consul begins.
func baseURL(cfg config.Consul) string {
	switch {
	case strings.HasPrefix(cfg.Address, "unix://"):
		return "http://localhost"
	case strings.Contains(cfg.Address, "://"):
		return strings.TrimRight(cfg.Address, "/")
	case cfg.Address == "":
		return "http://localhost:8500"
	case cfg.TLS.Enabled:
		return "https://" + cfg.Address
	}
	return "http://" + strings.TrimRight(cfg.Address, "/")
}
