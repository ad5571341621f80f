package nginxplus_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// bodyBuffer is NGINX's client_body_buffer_size, beyond which the API refuses a body.
const bodyBuffer = 16 << 10

// peer is one server of an upstream, in the order in which the API shows its fields.
type peer struct {
	ID          int    `json:"id"`
	Server      string `json:"server"`
	Weight      int    `json:"weight"`
	MaxConns    int    `json:"max_conns"`
	MaxFails    int    `json:"max_fails"`
	FailTimeout string `json:"fail_timeout"`
	SlowStart   string `json:"slow_start"`
	Route       string `json:"route,omitempty"`
	Backup      bool   `json:"backup"`
	Down        bool   `json:"down"`
	Drain       bool   `json:"drain,omitempty"`
	Parent      *int   `json:"parent,omitempty"`
	Host        string `json:"host,omitempty"`

	active int
}

// upstream is a group of servers; its name is context/name.
type upstream struct {
	// static has no zone; room is how many servers its zone holds, 0 for any number.
	static bool
	room   int
	state  string // path of its state file
	peers  []*peer
	next   int
}

// device stands in for one NGINX Plus.
type device struct {
	url string

	mu          sync.Mutex
	upstreams   map[string]*upstream
	readOnly    bool
	allowed     func(*http.Request) bool
	refuse      string                       // server of which a POST fails, as a full zone would
	changed     func(method string, p *peer) // after each change, locked
	said        func(string) string          // rewrites times as it shows them
	calls       []string
	connections int
}

// newDevice starts one with an empty upstream http/web and stream/db.
func newDevice(tb testing.TB) *device {
	tb.Helper()
	d := blank()
	server := httptest.NewUnstartedServer(d)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			d.with(func() { d.connections++ })
		}
	}
	server.Start()
	tb.Cleanup(server.Close)
	d.url = server.URL + "/api"
	return d
}

func blank() *device {
	return &device{upstreams: map[string]*upstream{"http/web": {}, "stream/db": {}}}
}

// problem is an answer that is an error of the API.
type problem struct {
	status     int
	code, text string
}

func refusal(status int, code, text string, args ...any) *problem {
	return &problem{status, code, fmt.Sprintf(text, args...)}
}

func (d *device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyBuffer))
	d.calls = append(d.calls, strings.TrimSpace(r.Method+" "+strings.TrimPrefix(r.URL.RequestURI(), "/api/9")+" "+string(body)))
	switch {
	case d.allowed != nil && !d.allowed(r):
		page(w, http.StatusUnauthorized, "401 Authorization Required")
	case !strings.HasPrefix(r.URL.Path, "/api/"):
		page(w, http.StatusNotFound, "404 Not Found")
	case err != nil:
		page(w, http.StatusRequestEntityTooLarge, "413 Request Entity Too Large")
	default:
		status, answer, wrong := d.answer(r, strings.Split(strings.TrimPrefix(r.URL.Path, "/api/"), "/"), body)
		w.Header().Set("Content-Type", "application/json")
		if wrong != nil {
			status, answer = wrong.status, map[string]any{
				"error":      map[string]any{"status": wrong.status, "text": wrong.text, "code": wrong.code},
				"request_id": "6fd3a04c79ba8f4dc3a1b1b9b7a4b4b5",
				"href":       "https://nginx.org/en/docs/http/ngx_http_api_module.html",
			}
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// page is what NGINX itself answers, outside of the API.
func page(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<html>\r\n<head><title>%[1]s</title></head>\r\n<body>\r\n<center><h1>%[1]s</h1></center>\r\n</body>\r\n</html>\r\n", title)
}

func (d *device) answer(r *http.Request, path []string, body []byte) (int, any, *problem) {
	if !regexp.MustCompile(`^[1-9]$`).MatchString(path[0]) {
		return 0, nil, refusal(404, "UnknownVersion", "unknown version")
	}
	if path[len(path)-1] == "" {
		path = path[:len(path)-1]
	}
	if len(path) < 4 || path[1] != "http" && path[1] != "stream" || path[2] != "upstreams" || len(path) > 4 && path[4] != "servers" || len(path) > 6 {
		return 0, nil, refusal(404, "PathNotFound", "path not found")
	}
	if r.Method != http.MethodGet && d.readOnly {
		return 0, nil, refusal(405, "MethodDisabled", "method disabled")
	}
	up := d.upstreams[path[1]+"/"+path[3]]
	switch {
	case up == nil:
		return 0, nil, refusal(404, "UpstreamNotFound", "upstream not found")
	case up.static:
		return 0, nil, refusal(400, "UpstreamStatic", "upstream is static")
	case len(path) == 4:
		return up.statistics(r)
	case len(path) == 5:
		return d.group(r, up, path[1], body)
	}
	return d.one(r, up, path[1], path[5], body)
}

// statistics nests objects before and after what matters, as the real ones do.
func (u *upstream) statistics(r *http.Request) (int, any, *problem) {
	if r.Method != http.MethodGet {
		return 0, nil, refusal(405, "MethodNotSupported", "method not supported")
	}
	peers := []map[string]any{}
	for _, p := range u.peers {
		peers = append(peers, map[string]any{
			"id": p.ID, "server": p.Server, "name": p.Server, "active": p.active, "Health": map[string]any{"id": 99, "active": 99},
			"responses": map[string]any{"2xx": 1, "codes": map[string]any{"200": 1}}, "weight": p.Weight,
		})
	}
	if fields := r.URL.Query().Get("fields"); fields != "peers" {
		return 200, map[string]any{"peers": peers, "keepalive": 0, "zombies": 0, "zone": "web"}, nil
	}
	return 200, map[string]any{"peers": peers}, nil
}

func (d *device) group(r *http.Request, up *upstream, context string, body []byte) (int, any, *problem) {
	switch r.Method {
	case http.MethodGet:
		return 200, d.shown(up.peers), nil
	case http.MethodPost:
		p := &peer{Weight: 1, MaxFails: 1, FailTimeout: "10s", SlowStart: "0s"}
		if wrong := p.set(body, context, true); wrong != nil {
			return 0, nil, wrong
		}
		if up.room > 0 && len(up.peers) >= up.room || p.Server == d.refuse {
			return 0, nil, refusal(400, "UpstreamOutOfMemory", "upstream \"web\" memory exhausted")
		}
		up.add(p)
		d.after(r.Method, up, p)
		return 201, d.shown([]*peer{p})[0], nil
	}
	return 0, nil, refusal(405, "MethodNotSupported", "method not supported")
}

func (u *upstream) add(p *peer) *peer {
	p.ID = u.next
	u.next++
	u.peers = append(u.peers, p)
	return p
}

func (d *device) one(r *http.Request, up *upstream, context, id string, body []byte) (int, any, *problem) {
	number, err := strconv.Atoi(id)
	if err != nil {
		return 0, nil, refusal(400, "UpstreamBadServerId", "invalid server id")
	}
	at := slices.IndexFunc(up.peers, func(p *peer) bool { return p.ID == number })
	if at < 0 {
		return 0, nil, refusal(404, "UpstreamServerNotFound", "server with id \"%d\" does not exist", number)
	}
	p := up.peers[at]
	switch r.Method {
	case http.MethodGet:
	case http.MethodPatch:
		if wrong := p.set(body, context, false); wrong != nil {
			return 0, nil, wrong
		}
		d.after(r.Method, up, p)
	case http.MethodDelete:
		if p.Parent != nil {
			return 0, nil, refusal(400, "UpstreamServerImmutable", "server \"%d\" not removable", number)
		}
		up.peers = slices.Delete(up.peers, at, at+1)
		d.after(r.Method, up, p)
		return 200, d.shown(up.peers), nil
	default:
		return 0, nil, refusal(405, "MethodNotSupported", "method not supported")
	}
	return 200, d.shown([]*peer{p})[0], nil
}

func (d *device) after(method string, up *upstream, p *peer) {
	if d.changed != nil {
		d.changed(method, p)
	}
	if up.state != "" {
		var text strings.Builder
		for _, p := range up.peers {
			fmt.Fprintf(&text, "server %s weight=%d;\n", p.Server, p.Weight)
		}
		_ = os.WriteFile(up.state, []byte(text.String()), 0o600)
	}
}

func (d *device) shown(peers []*peer) []peer {
	out := []peer{}
	for _, p := range peers {
		copied := *p
		if d.said != nil {
			copied.FailTimeout, copied.SlowStart = d.said(p.FailTimeout), d.said(p.SlowStart)
		}
		out = append(out, copied)
	}
	return out
}

// moment is a time as NGINX reads it.
var moment = regexp.MustCompile(`^([0-9]+(ms|[smhdwMy])?)+$`)

// set takes over the parameters of a body, all or none.
func (p *peer) set(body []byte, context string, fresh bool) *problem {
	given := map[string]any{}
	if err := json.Unmarshal(body, &given); err != nil {
		return refusal(415, "JsonError", "json error")
	}
	changed := *p
	for name, v := range given {
		if wrong := changed.setOne(name, v, context, fresh); wrong != nil {
			return wrong
		}
	}
	if changed.Server == "" {
		return refusal(400, "UpstreamConfFormatError", "missing \"server\" argument")
	}
	*p = changed
	return nil
}

func (p *peer) setOne(name string, v any, context string, fresh bool) *problem {
	format := refusal(400, "UpstreamConfFormatError", "invalid \"%s\" value", name)
	number := func(to *int, least, most int, code string) *problem {
		n, ok := v.(float64)
		if !ok || n != float64(int(n)) {
			return format
		}
		if int(n) < least || int(n) > most {
			return refusal(400, code, "invalid \"%s\"", name)
		}
		*to = int(n)
		return nil
	}
	flag := func(to *bool) *problem {
		b, ok := v.(bool)
		if !ok {
			return format
		}
		*to = b
		return nil
	}
	text := func(to *string, valid func(string) *problem) *problem {
		s, ok := v.(string)
		if !ok {
			return format
		}
		*to = s
		return valid(s)
	}
	timed := func(code string) func(string) *problem {
		return func(s string) *problem {
			if !moment.MatchString(s) {
				return refusal(400, code, "invalid \"%s\"", name)
			}
			return nil
		}
	}
	switch name {
	case "server":
		return text(&p.Server, func(s string) *problem { return addressed(s, context) })
	case "weight":
		return number(&p.Weight, 1, 65535, "UpstreamBadWeight")
	case "max_conns":
		return number(&p.MaxConns, 0, 1<<31, "UpstreamBadMaxConns")
	case "max_fails":
		return number(&p.MaxFails, 0, 1<<31, "UpstreamBadMaxFails")
	case "fail_timeout":
		return text(&p.FailTimeout, timed("UpstreamBadFailTimeout"))
	case "slow_start":
		return text(&p.SlowStart, timed("UpstreamBadSlowStart"))
	case "down":
		return flag(&p.Down)
	case "backup":
		if fresh {
			return flag(&p.Backup)
		}
	case "drain":
		if context == "http" {
			return flag(&p.Drain)
		}
	}
	return refusal(400, "UpstreamConfFormatError", "unknown parameter \"%s\"", name)
}

// addressed tells what is wrong with the address of a server where there is no resolver.
func addressed(s, context string) *problem {
	parts := regexp.MustCompile(`^(\[[0-9a-fA-F:.]+\]|[0-9.]+|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?$`).FindStringSubmatch(s)
	switch {
	case parts == nil:
		return refusal(400, "UpstreamBadAddress", "invalid host in upstream \"%s\"", s)
	case parts[2] == "" && context == "stream":
		return refusal(400, "UpstreamBadAddress", "no port in upstream \"%s\"", s)
	case regexp.MustCompile(`^[^\[]*[A-Za-z]`).MatchString(s):
		return refusal(400, "UpstreamConfNoResolver", "no resolver defined to resolve %s", s)
	}
	return nil
}

// has gives the servers of an upstream, as one would write them.
func (d *device) has(upstream string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []string{}
	for _, p := range d.upstreams[upstream].peers {
		s := fmt.Sprintf("%s weight=%d", p.Server, p.Weight)
		for flag, on := range map[string]bool{" down": p.Down, " drain": p.Drain, " backup": p.Backup} {
			if on {
				s += flag
			}
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// asked gives the calls since it was last asked.
func (d *device) asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.calls
	d.calls = nil
	return out
}

// put adds a server as somebody else would.
func (d *device) put(upstream, server string) *peer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.upstreams[upstream].add(&peer{Server: server, Weight: 1, MaxFails: 1, FailTimeout: "10s", SlowStart: "0s"})
}

// with changes the device while nobody asks it.
func (d *device) with(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}
