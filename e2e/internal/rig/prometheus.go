package rig

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// prometheusStart bounds the time until Prometheus answers a query.
const prometheusStart = 60 * time.Second

// Job is what Prometheus scrapes every second.
type Job struct {
	// Name is the label job of the samples; no two jobs have the same.
	Name string
	// Path is /metrics when empty; Envoy's is /stats/prometheus.
	Path string
	// Addrs are host:port each.
	Addrs []string
}

// Prometheus is a real one on loopback. [Process.Stop] ends it.
type Prometheus struct {
	*Process
	// URL is where its API is, without a slash at the end.
	URL    string
	client *http.Client
}

// StartPrometheus starts Prometheus in a directory of its own and waits until it
// answers a query; the first samples of the jobs come after that. The log is
// prometheus.log in the directory.
func StartPrometheus(ctx context.Context, dir string, jobs ...Job) (*Prometheus, error) {
	binary, err := Tool("prometheus")
	if err != nil {
		return nil, err
	}
	ports, err := Ports(1)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "prometheus.yml")
	if err := writeJobs(config, jobs); err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	p := &Prometheus{URL: "http://" + addr, client: oneShot()}
	p.Process, err = start("Prometheus", filepath.Join(dir, "prometheus.log"), exec.Command(binary,
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr))
	if err != nil {
		return nil, err
	}
	err = Until(ctx, prometheusStart, func() error {
		if p.Exited() {
			return final{errors.New("it exited")}
		}
		_, err := p.Value("vector(1)")
		return err
	})
	if err != nil {
		p.Kill()
		return nil, fmt.Errorf("start Prometheus: %w\n%s", err, tail(p.Output(), 15))
	}
	return p, nil
}

// writeJobs writes the configuration, as JSON, which is YAML too.
func writeJobs(file string, jobs []Job) error {
	scrapes := []map[string]any{}
	for _, j := range jobs {
		scrapes = append(scrapes, map[string]any{
			"job_name": j.Name, "metrics_path": cmp.Or(j.Path, "/metrics"),
			"static_configs": []map[string]any{{"targets": j.Addrs}},
		})
	}
	b, err := json.Marshal(map[string]any{
		"global":         map[string]string{"scrape_interval": "1s", "scrape_timeout": "1s"},
		"scrape_configs": scrapes,
	})
	if err != nil {
		return fmt.Errorf("write Prometheus configuration: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("write Prometheus configuration: %w", err)
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return fmt.Errorf("write Prometheus configuration: %w", err)
	}
	return nil
}

// Value is the answer to a query that gives one sample now; none, or several, is an error.
func (p *Prometheus) Value(query string) (float64, error) {
	got, err := p.client.Get(p.URL + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return 0, fmt.Errorf("query Prometheus: %w", err)
	}
	defer got.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				// Value is a time and a number as a text.
				Value [2]any
			}
		}
	}
	if err := json.NewDecoder(got.Body).Decode(&answer); err != nil {
		return 0, fmt.Errorf("query Prometheus: answer %s: %w", got.Status, err)
	}
	if answer.Error != "" {
		return 0, fmt.Errorf("query Prometheus: %s", answer.Error)
	}
	if n := len(answer.Data.Result); n != 1 {
		return 0, fmt.Errorf("query Prometheus: %s gives %d samples, wanted 1", query, n)
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("query Prometheus: %w", err)
	}
	return value, nil
}

// AwaitValue waits until a query gives one sample that is as wanted.
func (p *Prometheus) AwaitValue(ctx context.Context, query string, limit time.Duration, ok func(float64) bool) error {
	return Until(ctx, limit, func() error {
		if p.Exited() {
			return final{errors.New("Prometheus exited")}
		}
		value, err := p.Value(query)
		if err != nil {
			return err
		}
		if !ok(value) {
			return fmt.Errorf("%s is %g", query, value)
		}
		return nil
	})
}
