package afterapply

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// The secrets of the stand-in; no log line and no error may show them.
const (
	goodPassword = "pass&word<1>"
	goodKey      = "LUFRPT1LZXk+1/=="
)

// firewall is a strict stand-in of PAN-OS: it takes exactly the requests that the
// XML API documents and answers everything else as PAN-OS does.
type firewall struct {
	*httptest.Server
	t *testing.T

	mu sync.Mutex
	// candidate are uncommitted changes by administrator, running what is in force.
	candidate map[string][]string
	running   []string
	jobs      map[string]*firewallJob
	// custom is true when the user has a custom role, whose empty commit differs.
	custom bool
	// inTheWay refuses as many commits because another one is under way.
	inTheWay int
	// breaks fails the job of the next commit with these lines.
	breaks []string
	// silent drops as many answers to looks at a job.
	silent   int
	requests []string
	targets  []string
}

type firewallJob struct {
	looks   int // still to come before it ends
	details []string
	failed  bool
}

func newFirewall(t *testing.T, serve func(http.Handler) *httptest.Server) *firewall {
	f := &firewall{t: t, candidate: map[string][]string{}, jobs: map[string]*firewallJob{}}
	f.Server = serve(f)
	t.Cleanup(f.Close)
	return f
}

func (f *firewall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method != http.MethodPost || r.URL.Path != "/api/" || r.URL.RawQuery != "" ||
		r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		f.t.Errorf("request %s %s is none of the XML API's, or shows its form in the URL", r.Method, r.URL)
		reply(w, http.StatusBadRequest, `<response status="error" code="400"><result><msg>Bad request</msg></result></response>`)
		return
	}
	kind := r.PostForm.Get("type")
	f.requests = append(f.requests, kind)
	switch {
	case kind == "keygen" && r.PostForm.Get("user") == "cts" && r.PostForm.Get("password") == goodPassword:
		reply(w, 200, `<response status = 'success'><result><key>`+goodKey+`</key></result></response>`)
	case kind == "keygen" || r.PostForm.Get("key") != goodKey:
		reply(w, 403, `<response status = 'error' code = '403'><result><msg>Invalid Credential `+r.PostForm.Get("key")+`</msg></result></response>`)
	case kind == "commit":
		f.targets = append(f.targets, r.PostForm.Get("target"))
		f.commit(w, r)
	case kind == "op":
		f.show(w, r)
	default:
		refuse(w, "17", "Invalid command")
	}
}

func (f *firewall) commit(w http.ResponseWriter, r *http.Request) {
	var cmd struct {
		XMLName     xml.Name `xml:"commit"`
		Description string   `xml:"description"`
		Partial     struct {
			Admins []string `xml:"admin>member"`
		} `xml:"partial"`
	}
	err := xml.Unmarshal([]byte(r.PostForm.Get("cmd")), &cmd)
	if err != nil || len(cmd.Partial.Admins) != 1 || r.PostForm.Get("action") != "partial" || cmd.Description == "" {
		refuse(w, "1", "Unknown command: "+r.PostForm.Get("cmd"))
		return
	}
	admin := cmd.Partial.Admins[0]
	switch {
	case f.inTheWay > 0:
		f.inTheWay--
		refuse(w, "13", "Another commit/validate is in progress. Please try again later")
	case len(f.candidate[admin]) == 0 && f.custom:
		reply(w, 200, `<response status="success" code="13"><msg>The result of this commit would be the same as the previous commit queued/processed.</msg></response>`)
	case len(f.candidate[admin]) == 0:
		reply(w, 200, `<response status="success" code="19"><msg>There are no changes to commit.</msg></response>`)
	default:
		id := fmt.Sprint(len(f.jobs) + 4)
		f.jobs[id] = &firewallJob{looks: 2, details: f.breaks, failed: f.breaks != nil}
		if f.breaks == nil {
			f.running = append(f.running, f.candidate[admin]...)
			delete(f.candidate, admin)
		}
		f.breaks = nil
		reply(w, 200, `<response status="success" code="19"><result><msg><line>Commit job enqueued with jobid `+id+`</line></msg><job>`+id+`</job></result></response>`)
	}
}

func (f *firewall) show(w http.ResponseWriter, r *http.Request) {
	var cmd struct {
		XMLName xml.Name `xml:"show"`
		ID      string   `xml:"jobs>id"`
	}
	if err := xml.Unmarshal([]byte(r.PostForm.Get("cmd")), &cmd); err != nil || cmd.ID == "" {
		refuse(w, "17", "show -> is unexpected")
		return
	}
	j := f.jobs[cmd.ID]
	switch {
	case f.silent > 0:
		f.silent--
		panic(http.ErrAbortHandler)
	case j == nil:
		refuse(w, "7", "job "+cmd.ID+" not found")
	case j.looks > 0:
		j.looks--
		reply(w, 200, `<response status="success"><result><job><id>`+cmd.ID+`</id><type>Commit</type><status>ACT</status><result>PEND</result><progress>55</progress><details/></job></result></response>`)
	default:
		result, details := "OK", "<line>Configuration committed successfully</line>"
		if j.failed {
			result, details = "FAIL", "<line><![CDATA["+strings.Join(j.details, "]]></line><line><![CDATA[")+"]]></line>"
		}
		reply(w, 200, `<response status="success"><result><job><tenq>2026/11/21 22:50:26</tenq><id>`+cmd.ID+`</id><user>cts</user><type>Commit</type><status>FIN</status><result>`+
			result+`</result><progress>100</progress><details>`+details+`</details><warnings><line>Application dependency</line></warnings></job></result></response>`)
	}
}

func (f *firewall) changes(admin string, what ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.candidate[admin] = append(f.candidate[admin], what...)
}

func (f *firewall) set(change func(*firewall)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// committed lists what is in force.
func (f *firewall) committed() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.running)
}

// arguments are those of a provider block that reaches the stand-in.
func (f *firewall) arguments(more map[string]cty.Value) map[string]cty.Value {
	scheme, address, _ := strings.Cut(f.URL, "://")
	host, port, _ := strings.Cut(address, ":")
	out := map[string]cty.Value{"hostname": cty.StringVal(host), "port": cty.StringVal(port), "protocol": cty.StringVal(scheme),
		"username": cty.StringVal("cts"), "api_key": cty.StringVal(goodKey), "auto_commit": cty.True}
	for name, v := range more {
		out[name] = v
		if v.IsNull() {
			delete(out, name)
		}
	}
	return out
}

func refuse(w http.ResponseWriter, code, line string) {
	reply(w, 200, `<response status="error" code="`+code+`"><msg><line><![CDATA[`+line+`]]></line></msg></response>`)
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a client that has gone is seen there
}
