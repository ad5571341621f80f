package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// ErrPlain tells that the address has the scheme http and the agent serves TLS.
var ErrPlain = errors.New("client sent an HTTP request to an HTTPS server; use an https:// address")

// wrongScheme is what Go's TLS servers say to a plain request.
const wrongScheme = "sent an HTTP request to an HTTPS server"

// diagnosis is how long the question after a failed request may take.
const diagnosis = 5 * time.Second

// explain gives a better error than err for a plain request that got no answer. A TLS
// server of Go tells plain clients what is wrong, but only after methods that it
// can tell from TLS records: GET, HEAD, POST, PUT and OPTIONS; for PATCH and DELETE
// it just closes. So it is asked once more by GET, which changes nothing.
func (c *Client) explain(ctx context.Context, method string, err error) error {
	if c.base.Scheme != "http" || method == http.MethodGet || !cutOff(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, diagnosis)
	defer cancel()
	req, rerr := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath("v1", "health").String(), nil)
	if rerr != nil {
		return err
	}
	res, rerr := c.http.Do(req)
	if rerr != nil {
		return err
	}
	defer res.Body.Close()
	answer, rerr := io.ReadAll(io.LimitReader(res.Body, maxMessage))
	if rerr != nil || !isPlain(res.StatusCode, answer) {
		return err
	}
	return ErrPlain
}

// isPlain tells whether an answer is a TLS server's to a plain request.
func isPlain(status int, answer []byte) bool {
	return status == http.StatusBadRequest && strings.Contains(string(answer), wrongScheme)
}

// cutOff tells whether a connection ended before there was an answer in HTTP.
func cutOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || strings.Contains(err.Error(), "malformed HTTP")
}
