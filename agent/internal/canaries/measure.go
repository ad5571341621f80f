package canaries

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"patchbay/tasks/catalog"
	"patchbay/tasks/rollout"
	"patchbay/xds/mesh"

	"golang.org/x/sync/errgroup"
)

const (
	// maxAnswer bounds an answer of Prometheus, which is to be one number.
	maxAnswer = 64 << 10
	// patience is how long an answer is waited for at most, and how long before a
	// judgement it is asked for.
	patience = 5 * time.Second
	// together is how many queries are asked at once.
	together = 4
)

// lead is how long before a judgement its metrics are asked for. The answers may take
// less: they are there, or known to be missing, when it falls due.
func lead(p rollout.Plan) time.Duration { return min(patience, p.CheckEvery/2) }

// measurement is what came of all queries of a canary.
type measurement struct {
	// of is the plan that the queries are from; begun is when they were sent.
	of      catalog.Digest
	begun   time.Time
	metrics []rollout.Measurement
	// ejected is nil when it is not known.
	ejected *rollout.Share
}

// prometheus asks a server for numbers.
type prometheus struct {
	client *http.Client
	now    func() time.Time
}

func newPrometheus(now func() time.Time) prometheus {
	return prometheus{now: now, client: &http.Client{Timeout: patience,
		// What is configured is asked, and nobody that it names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// measure asks for all metrics of a canary, and for what Envoys ejected. A failure is
// a part of the measurement.
func (p prometheus) measure(ctx context.Context, c Canary) measurement {
	out := measurement{of: c.Plan.Digest(), begun: p.now(), metrics: make([]rollout.Measurement, len(c.Plan.Metrics))}
	ctx, cancel := context.WithTimeout(ctx, lead(c.Plan)*4/5)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(together)
	for n, m := range c.Plan.Metrics {
		group.Go(func() error {
			value, err := p.ask(ctx, c.Prometheus, m.Query)
			out.metrics[n] = rollout.Measurement{Metric: m.Name, Value: value, At: p.now()}
			if err != nil {
				out.metrics[n].Error = err.Error()
			}
			return nil
		})
	}
	group.Go(func() error {
		if c.Plan.MaxEjected < rollout.Whole && c.Prometheus != "" {
			out.ejected = p.ejected(ctx, c)
		}
		return nil
	})
	_ = group.Wait() // it returns no error
	return out
}

// ejected gives the share of the candidate's hosts that an Envoy has ejected: of the
// Envoy that has ejected most, for its callers are served worst.
func (p prometheus) ejected(ctx context.Context, c Canary) *rollout.Share {
	cluster := strconv.Quote(mesh.Target{Service: c.Plan.Service, Subset: c.Candidate.Name}.String())
	value, err := p.ask(ctx, c.Prometheus, fmt.Sprintf("max(envoy_cluster_outlier_detection_ejections_active{envoy_cluster_name=%s}"+
		" / (envoy_cluster_membership_total{envoy_cluster_name=%s} > 0))", cluster, cluster))
	if err != nil || math.IsNaN(value) || value < 0 {
		return nil
	}
	share := rollout.Share(min(value, 1) * float64(rollout.Whole))
	return &share
}

// ask gives the one number that a query has now; NaN when it has none.
func (p prometheus) ask(ctx context.Context, server, query string) (float64, error) {
	address := strings.TrimSuffix(server, "/") + "/api/v1/query?query=" + url.QueryEscape(query)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, errors.New("the address of Prometheus cannot be asked")
	}
	res, err := p.client.Do(req)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err // the address has the whole query
		}
		return 0, fmt.Errorf("ask Prometheus: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return 0, fmt.Errorf("read answer of Prometheus: %w", err)
	}
	if len(body) > maxAnswer {
		return 0, fmt.Errorf("read answer of Prometheus: it is longer than %d bytes; write a query that gives one number", maxAnswer)
	}
	return number(res.StatusCode, body)
}

// answer is what /api/v1/query says.
type answer struct {
	Status, Error string
	Data          struct {
		ResultType string
		Result     json.RawMessage
	}
}

// number reads the one number of an answer.
func number(status int, body []byte) (float64, error) {
	var a answer
	err := json.Unmarshal(body, &a)
	switch {
	case err == nil && a.Error != "":
		return 0, fmt.Errorf("ask Prometheus: %s", a.Error)
	case status != http.StatusOK:
		return 0, fmt.Errorf("ask Prometheus: it answered %d", status)
	case err != nil:
		return 0, errors.New("read answer of Prometheus: it is not JSON")
	}
	var sample [2]any
	switch a.Data.ResultType {
	case "scalar":
		err = json.Unmarshal(a.Data.Result, &sample)
	case "vector":
		var list []struct{ Value [2]any }
		err = json.Unmarshal(a.Data.Result, &list)
		if err == nil && len(list) == 0 {
			return math.NaN(), nil
		}
		if err == nil && len(list) > 1 {
			return 0, fmt.Errorf("the query gives %d numbers; write one that gives one, such as sum(…)", len(list))
		}
		if err == nil {
			sample = list[0].Value
		}
	default:
		return 0, errors.New("the query gives no number; write one that gives a scalar or a vector of one")
	}
	text, ok := sample[1].(string)
	if err != nil || !ok {
		return 0, errors.New("read answer of Prometheus: it has no number where one must be")
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errors.New("read answer of Prometheus: it has no number where one must be")
	}
	return value, nil
}
