package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer bounds an answer, in bytes: more is an error, so that a wrong server
// cannot fill the memory. Ten thousand runs fit.
const maxAnswer = 64 << 20

// maxMessage bounds the text of an answer that is not the API's, in bytes.
const maxMessage = 512

// Client speaks to one agent; many goroutines may use it.
type Client struct {
	base *url.URL
	http *http.Client
}

// New makes a client; nothing is sent yet. It fails when the address is no URL of
// scheme http or https, or when a certificate cannot be read.
func New(o Options) (*Client, error) {
	base, err := o.base()
	if err != nil {
		return nil, err
	}
	transport, err := o.transport()
	if err != nil {
		return nil, err
	}
	sender, err := o.authorized(base, transport)
	if err != nil {
		return nil, err
	}
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: base, http: &http.Client{Transport: sender, CheckRedirect: noRedirect}}, nil
}

// Close frees idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is a refusal by the server.
type Error struct {
	// Status is the HTTP status code.
	Status int
	// Message is the server's text: not trusted, escape it before a terminal.
	Message string
	// RequestID finds the request in the agent's log; "" when it gave none.
	RequestID string
	// Short leaves the request ID out of the text.
	Short bool
}

// Error tells status, message and request ID as Consul-Terraform-Sync does.
func (e *Error) Error() string {
	if e.RequestID == "" || e.Short {
		return fmt.Sprintf("request returned %d status code with error: %s", e.Status, e.Message)
	}
	return fmt.Sprintf("%d %s: %s, see logs for more details (Request ID: %s)", e.Status, http.StatusText(e.Status), e.Message, e.RequestID)
}

// get asks for an object.
func (c *Client) get(ctx context.Context, out any, query url.Values, path ...string) error {
	return c.do(ctx, http.MethodGet, nil, out, query, path...)
}

// post sends an object, or none when body is nil.
func (c *Client) post(ctx context.Context, body, out any, path ...string) error {
	return c.do(ctx, http.MethodPost, body, out, nil, path...)
}

func (c *Client) do(ctx context.Context, method string, body, out any, query url.Values, path ...string) error {
	status, answer, err := c.send(ctx, method, body, query, path...)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return refusal(status, answer)
	}
	return decode(answer, out)
}

func decode(answer []byte, out any) error {
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read answer: %w; is this address a Patchbay agent's?", err)
	}
	return nil
}

// url makes the address of a path. Every segment is escaped.
func (c *Client) url(path ...string) (*url.URL, error) {
	escaped := make([]string, 0, len(path))
	for _, p := range path {
		if p == "" || p == "." || p == ".." {
			// Such a segment would vanish from the path and ask for something else.
			return nil, &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("nothing is named %q", p)}
		}
		escaped = append(escaped, url.PathEscape(p))
	}
	return c.base.JoinPath(escaped...), nil
}

// send makes one request and reads the whole answer.
func (c *Client) send(ctx context.Context, method string, body any, query url.Values, path ...string) (int, []byte, error) {
	u, err := c.url(path...)
	if err != nil {
		return 0, nil, err
	}
	u.RawQuery = query.Encode()
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, fmt.Errorf("write request: %w", err)
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return 0, nil, fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, c.explain(ctx, method, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("read answer: %w", err)
	}
	if len(answer) > maxAnswer {
		return 0, nil, fmt.Errorf("read answer: it is longer than %d MiB", maxAnswer>>20)
	}
	return res.StatusCode, answer, nil
}

// refusal makes an error of an answer; a text that is not the API's is kept as
// the message.
func refusal(status int, answer []byte) error {
	var f failure
	if err := json.Unmarshal(answer, &f); err == nil && f.Error.Message != "" {
		return &Error{Status: status, Message: f.Error.Message, RequestID: f.RequestID}
	}
	if isPlain(status, answer) {
		return ErrPlain
	}
	text := strings.TrimSpace(string(answer[:min(len(answer), maxMessage)]))
	if text == "" {
		text = http.StatusText(status)
	}
	return &Error{Status: status, Message: strings.ToValidUTF8(text, "�")}
}
