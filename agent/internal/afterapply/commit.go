package afterapply

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// How a commit is watched.
const (
	// maxCommit is the longest that one is waited for; large configurations take
	// many minutes.
	maxCommit = 30 * time.Minute
	firstLook = 500 * time.Millisecond
	lastLook  = 5 * time.Second
	// maxMissed is how many looks in a row may fail: a device answers badly while it
	// commits.
	maxMissed = 10
)

// commitOn commits what the device's user changed and waits for the end of the job.
// The job is zero when there was nothing to commit.
func (s *Steps) commitOn(ctx context.Context, d device, description string) (job, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxCommit, fmt.Errorf("the commit did not end within %s; look at its job on the device", maxCommit))
	defer cancel()
	c := d.open(s)
	defer c.http.CloseIdleConnections()
	if err := c.login(ctx); err != nil {
		return job{}, err
	}
	id, err := c.begin(ctx, description)
	if err != nil || id == "" {
		return job{}, err
	}
	return c.watch(ctx, id)
}

// conversation is one commit's dialogue with a device.
type conversation struct {
	device
	http *http.Client
	url  string
	wait time.Duration
}

func (d device) open(s *Steps) *conversation {
	host := d.hostname
	switch {
	case d.port != 0:
		host = net.JoinHostPort(d.hostname, strconv.Itoa(d.port))
	case strings.Contains(d.hostname, ":"):
		host = "[" + d.hostname + "]"
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: maxAnswer,
		TLSClientConfig: &tls.Config{RootCAs: s.roots, InsecureSkipVerify: d.insecure}} // insecure is said by the configuration
	c := &conversation{device: d, wait: s.wait, url: (&url.URL{Scheme: d.protocol, Host: host, Path: "/api/"}).String(),
		http: &http.Client{Transport: transport, Timeout: d.timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the key goes nowhere else
		}}}
	if c.wait == 0 {
		c.wait = firstLook
	}
	return c
}

// login makes an API key of user and password when there is none.
func (c *conversation) login(ctx context.Context) error {
	if c.key != "" {
		return nil
	}
	a, err := c.call(ctx, url.Values{"type": {"keygen"}, "user": {c.username}, "password": {c.password}})
	if err == nil {
		err = a.check()
	}
	if err == nil && a.Result.Key == "" {
		err = errors.New("the answer holds no key")
	}
	if err != nil {
		return fmt.Errorf("make an API key: %w", c.clean(err))
	}
	c.key = a.Result.Key
	return nil
}

// command is the partial commit of one user's changes.
type command struct {
	XMLName     xml.Name `xml:"commit"`
	Description string   `xml:"description"`
	Admin       string   `xml:"partial>admin>member"`
}

// begin asks for the commit and gives the number of its job, "" when there is
// nothing to commit.
func (c *conversation) begin(ctx context.Context, description string) (string, error) {
	cmd, err := xml.Marshal(command{Description: description, Admin: c.username})
	if err != nil {
		return "", fmt.Errorf("write command: %w", err)
	}
	a, err := c.call(ctx, c.ask("commit", cmd, "action", "partial"))
	if err == nil {
		err = a.check(codeEmpty)
	}
	if err != nil {
		return "", c.clean(err)
	}
	id := strings.TrimSpace(a.Result.Job.Text)
	if id == "" {
		return "", nil
	}
	if _, err := strconv.ParseUint(id, 10, 64); err != nil {
		return "", errors.New("read answer: its job has no number")
	}
	return id, nil
}

// shown asks for a job.
type shown struct {
	XMLName xml.Name `xml:"show"`
	ID      string   `xml:"jobs>id"`
}

// watch looks at a job until it has ended.
func (c *conversation) watch(ctx context.Context, id string) (job, error) {
	cmd, err := xml.Marshal(shown{ID: id})
	if err != nil {
		return job{}, fmt.Errorf("write command: %w", err)
	}
	missed := 0
	for wait := c.wait; ; wait = min(wait*3/2, lastLook) {
		if err := pause(ctx, wait); err != nil {
			return job{}, fmt.Errorf("wait for job %s: %w", id, err)
		}
		j, err := c.look(ctx, id, cmd)
		switch no := (*refusal)(nil); {
		case errors.As(err, &no):
			return job{}, fmt.Errorf("look at job %s: %w", id, c.clean(err))
		case err != nil:
			if missed++; missed >= maxMissed {
				return job{}, fmt.Errorf("look at job %s, %d times: %w", id, missed, c.clean(err))
			}
			continue
		}
		missed = 0
		if j.Status == "FIN" {
			return j, c.judge(j)
		}
	}
}

func (c *conversation) look(ctx context.Context, id string, cmd []byte) (job, error) {
	a, err := c.call(ctx, c.ask("op", cmd))
	if err != nil {
		return job{}, err
	}
	if err := a.check(); err != nil {
		return job{}, err
	}
	j := a.Result.Job
	if strings.TrimSpace(j.ID) != id {
		return job{}, errors.New("read answer: it tells of another job")
	}
	j.ID, j.Status, j.Result = id, strings.TrimSpace(j.Status), strings.TrimSpace(j.Result)
	return j, nil
}

// judge gives the error of a job that ended badly.
func (c *conversation) judge(j job) error {
	if j.Result == "OK" {
		return nil
	}
	err := fmt.Errorf("job %s ended with %s", j.ID, printable(j.Result))
	if lines := bounded(j.Details.lines()); len(lines) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.Join(lines, "; "))
	}
	return c.clean(err)
}

// ask makes the form of a command. It goes into the body, so that no key stands in a
// URL or in the log of a proxy.
func (c *conversation) ask(kind string, cmd []byte, more ...string) url.Values {
	form := url.Values{"type": {kind}, "cmd": {string(cmd)}, "key": {c.key}}
	for n := 0; n+1 < len(more); n += 2 {
		form.Set(more[n], more[n+1])
	}
	if c.target != "" {
		form.Set("target", c.target)
	}
	return form
}

// call sends a form and takes the answer, which may be a refusal.
func (c *conversation) call(ctx context.Context, form url.Values) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, unreachable(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, fmt.Errorf("read answer: %w", err)
	case len(body) > maxAnswer:
		return answer{}, fmt.Errorf("read answer: it is larger than %d bytes", maxAnswer)
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return answer{}, fmt.Errorf("the device sends to another address (HTTP %d); correct hostname, port or protocol", res.StatusCode)
	}
	a, err := parse(bytes.TrimSpace(body))
	if res.StatusCode != http.StatusOK && (err != nil || a.Status == "success") {
		return answer{}, fmt.Errorf("the device answered HTTP %d", res.StatusCode)
	}
	return a, err
}

// unreachable says what to do about a certificate.
func unreachable(err error) error {
	if untrusted := (*tls.CertificateVerificationError)(nil); errors.As(err, &untrusted) {
		return fmt.Errorf("%w; let this machine trust the device's certificate, or write verify_certificate = false "+
			"(provider 1.x) or skip_verify_certificate = true (2.x) in the terraform_provider block", err)
	}
	return err
}

// clean takes what is secret out of the words of a device.
func (c *conversation) clean(err error) error {
	text := err.Error()
	for _, secret := range []string{c.password, c.key} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "<secret>")
		}
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// pause waits, or ends with the cause of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
