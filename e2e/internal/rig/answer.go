package rig

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
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

// Request is what the HTTP API is asked.
type Request struct {
	Method, Path string
	// Body is sent as JSON; "" sends none.
	Body string
	// Header is sent besides.
	Header map[string]string
	// From is the address that the request comes from; nil lets the system choose.
	From net.IP
	// TLS is used instead of the program's when it is not nil.
	TLS *tls.Config
	// Until ends the reading of a body that has no end by itself, once it has this text.
	Until string
}

// askTime bounds a request with its answer.
const askTime = 90 * time.Second

// Send sends a request to a path of the API; a body is sent as JSON. An answer of
// any status is no error.
func (p *Patchbay) Send(method, path, body string) (Answer, error) {
	return p.Ask(Request{Method: method, Path: path, Body: body})
}

// Ask sends a request to the API. An answer of any status is no error.
func (p *Patchbay) Ask(r Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.Method, p.API+r.Path, strings.NewReader(r.Body))
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", r.Path, err)
	}
	if r.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	// A connection of its own: a certificate that changed is seen.
	dialer := net.Dialer{}
	if r.From != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: r.From}
	}
	secure := p.tls
	if r.TLS != nil {
		secure = r.TLS
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: secure, DisableKeepAlives: true, DialContext: dialer.DialContext}}
	got, err := client.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", r.Path, err)
	}
	defer got.Body.Close()
	body, err := readUntil(got.Body, r.Until)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", r.Path, err)
	}
	return Answer{Status: got.StatusCode, Header: got.Header, Body: body}, nil
}

// readUntil reads to the end, or to the line that has the text when there is one.
func readUntil(from io.Reader, text string) (string, error) {
	if text == "" {
		b, err := io.ReadAll(from)
		return string(b), err
	}
	var b strings.Builder
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		b.WriteString(line)
		if errors.Is(err, io.EOF) || strings.Contains(line, text) {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
	}
}

// OtherAddress is an address of this machine that is not loopback. A connection from
// it to loopback looks like one of another host and never leaves the machine.
func OtherAddress() (net.IP, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("find address: %w", err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP, nil
		}
	}
	return nil, errors.New("find address: this machine has no IPv4 address but loopback; give it one, such as by: ip addr add 192.0.2.1/32 dev lo")
}
