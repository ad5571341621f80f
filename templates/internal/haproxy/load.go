package haproxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"patchbay/templates/internal/moduletest"
)

// Load asks a server all the time, at a bounded rate, and counts what happened.
type Load struct {
	// Kept reuses connections; else each request has one of its own and is never
	// sent again.
	Kept bool

	// Requests counts all, Answers by body, Failures by error.
	Requests          int
	Answers, Failures map[string]int

	mu sync.Mutex
}

// Start runs clients until stop is called; the counts are to be read after that.
func (l *Load) Start(url string, clients int, pause time.Duration) (stop func()) {
	l.Answers, l.Failures = map[string]int{}, map[string]int{}
	done := make(chan struct{})
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			transport := &http.Transport{DisableKeepAlives: !l.Kept}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: moduletest.Patience}
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for {
				select {
				case <-done:
					return
				case <-tick.C:
					l.one(client, url)
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		close(done)
		running.Wait()
	})
}

func (l *Load) one(client *http.Client, url string) {
	body, err := l.ask(client, url)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Requests++
	if err != nil {
		l.Failures[err.Error()]++
		return
	}
	l.Answers[body]++
}

// ask posts a body that cannot be read twice where no request may be sent again.
func (l *Load) ask(client *http.Client, url string) (string, error) {
	method, payload := http.MethodPost, io.Reader(io.NopCloser(strings.NewReader("x")))
	if l.Kept {
		method, payload = http.MethodGet, nil
	}
	request, err := http.NewRequest(method, url, payload)
	if err != nil {
		return "", err
	}
	if !l.Kept {
		request.ContentLength = 1
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s: %s", answer.Status, content)
	}
	return string(content), err
}
