package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// bodyWait is how long a body may take to arrive.
const bodyWait = 30 * time.Second

// readBody reads the whole body of a request; required tells whether there must
// be one. It answers the failure itself and then returns ok = false.
func (x exchange) readBody(required bool) (body []byte, ok bool) {
	c := http.NewResponseController(x.w)
	// Not every writer has deadlines; without one the reading is bounded in size still.
	_ = c.SetReadDeadline(time.Now().Add(bodyWait))
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	_ = c.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		x.fail(http.StatusRequestEntityTooLarge, "request body has an error: it is longer than %d bytes", maxBody)
		return nil, false
	case err != nil:
		x.fail(http.StatusBadRequest, "request body has an error: it could not be read")
		return nil, false
	case len(body) == 0 && !required:
		return nil, true
	}
	if kind, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		x.fail(http.StatusBadRequest, "request body has an error: its Content-Type is %q, want application/json", clip(x.r.Header.Get("Content-Type")))
		return nil, false
	}
	return body, true
}

// readNothing takes no body, or an empty object. It answers the failure itself and
// then returns false.
func (x exchange) readNothing() (ok bool) {
	body, ok := x.readBody(false)
	if !ok || len(body) == 0 {
		return ok
	}
	if err := parseObject(body, &struct{}{}); err != nil {
		x.fail(http.StatusBadRequest, "request body has an error: %s", err)
		return false
	}
	return true
}

// parseApprove reads the body of an approval.
func parseApprove(body []byte) (r ApproveRequest, err error) {
	if err := parseObject(body, &r); err != nil {
		return ApproveRequest{}, err
	}
	if err := checkPerson(r.By, r.Reason); err != nil {
		return ApproveRequest{}, fmt.Errorf("property %w", err)
	}
	return r, nil
}

// checkPerson refuses who and why that could not be shown again.
func checkPerson(by, reason string) error {
	lineBreak := func(c rune) bool { return c == '\n' || c == '\t' || c == '\r' }
	switch {
	case len(by) > MaxBy:
		return fmt.Errorf("\"by\" is longer than %d bytes", MaxBy)
	case len(reason) > MaxReason:
		return fmt.Errorf("\"reason\" is longer than %d bytes", MaxReason)
	case strings.ContainsFunc(by, unicode.IsControl):
		return errors.New("\"by\" has a control character")
	case strings.ContainsFunc(reason, func(c rune) bool { return unicode.IsControl(c) && !lineBreak(c) }):
		return errors.New("\"reason\" has a control character")
	}
	return nil
}

// parseObject decodes exactly one JSON object whose fields are all known.
func parseObject(body []byte, into any) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' {
		return errors.New("it is not a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return errors.New(clip(strings.TrimPrefix(err.Error(), "json: ")))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}
