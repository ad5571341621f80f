package rig

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Answer is a whole answer of the HTTP API.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Send sends a request to a path of the API; a body is sent as JSON. An answer of
// any status is no error.
func (p *Patchbay) Send(method, path, body string) (Answer, error) {
	request, err := http.NewRequest(method, p.API+path, strings.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", path, err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	// A connection of its own: a certificate that changed is seen.
	client := http.Client{Timeout: 90 * time.Second, Transport: &http.Transport{TLSClientConfig: p.tls, DisableKeepAlives: true}}
	got, err := client.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", path, err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", path, err)
	}
	return Answer{Status: got.StatusCode, Header: got.Header, Body: string(b)}, nil
}
