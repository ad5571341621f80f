package canaries

import (
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"patchbay/tasks/rollout"

	"github.com/google/go-cmp/cmp"
)

func TestAnAnswerOfPrometheusIsOneNumberOrAReason(t *testing.T) {
	for sentence, c := range map[string]struct {
		status int
		body   string
		want   float64
		err    string
	}{
		"a vector of one":               {200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.5,"0.25"]}]}}`, 0.25, ""},
		"a scalar":                      {200, `{"status":"success","data":{"resultType":"scalar","result":[1.5,"3e2"]}}`, 300, ""},
		"no sample is no number":        {200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, math.NaN(), ""},
		"a division by zero":            {200, `{"data":{"resultType":"vector","result":[{"value":[1,"NaN"]}]}}`, math.NaN(), ""},
		"infinity":                      {200, `{"data":{"resultType":"vector","result":[{"value":[1,"+Inf"]}]}}`, math.Inf(1), ""},
		"several samples":               {200, `{"data":{"resultType":"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}`, 0, "gives 2 numbers"},
		"a range":                       {200, `{"data":{"resultType":"matrix","result":[]}}`, 0, "gives no number"},
		"a query that is refused":       {400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, 0, "parse error"},
		"a gateway's page":              {502, `<html>`, 0, "answered 502"},
		"a redirect":                    {302, ``, 0, "answered 302"},
		"no JSON":                       {200, `hello`, 0, "not JSON"},
		"a number that is none":         {200, `{"data":{"resultType":"scalar","result":[1,"x"]}}`, 0, "no number"},
		"a number that is not a text":   {200, `{"data":{"resultType":"scalar","result":[1,2]}}`, 0, "no number"},
		"a result of another form":      {200, `{"data":{"resultType":"vector","result":{"a":1}}}`, 0, "no number"},
		"a scalar of another form":      {200, `{"data":{"resultType":"scalar","result":"x"}}`, 0, "no number"},
		"nothing where a result may be": {200, `{"data":null}`, 0, "gives no number"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := number(c.status, []byte(c.body))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, %v, want an error with %q", got, err, c.err)
				}
				return
			}
			if err != nil || got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func FuzzNumber(f *testing.F) {
	f.Add(200, []byte(`{"data":{"resultType":"vector","result":[{"value":[1,"2"]}]}}`))
	f.Add(200, []byte(`{"data":{"resultType":"scalar","result":[1,"2"]}}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if value, err := number(status, body); err != nil && value != 0 {
			t.Errorf("an error came with the value %v", value)
		}
	})
}

// server answers queries by their text.
func server(t *testing.T, answers map[string]string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[r.URL.Query().Get("query")]
		if r.URL.Path != "/prom/api/v1/query" || !ok {
			http.Error(w, "what?", http.StatusTeapot)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/prom/"
}

func one(value string) string {
	return `{"data":{"resultType":"vector","result":[{"value":[1,"` + value + `"]}]}}`
}

const ejections = `max(envoy_cluster_outlier_detection_ejections_active{envoy_cluster_name="web/v2"} / (envoy_cluster_membership_total{envoy_cluster_name="web/v2"} > 0))`

func TestAllNumbersOfACanaryAreAskedFor(t *testing.T) {
	c := declaredWeb(func(c *Canary) {
		c.Plan.MaxEjected = 2000
		c.Plan.Metrics = []rollout.Metric{{Name: "errors", Query: `sum(a{b="c"}) + 1`}, {Name: "silent", Query: "none"}}
	})
	c.Prometheus = server(t, map[string]string{`sum(a{b="c"}) + 1`: one("7"), ejections: one("0.5")})
	now := time.Now()
	got := newPrometheus(func() time.Time { return now }).measure(t.Context(), c)
	half := rollout.Share(5000)
	want := measurement{of: c.Plan.Digest(), begun: now, ejected: &half, metrics: []rollout.Measurement{{Metric: "errors", Value: 7, At: now},
		{Metric: "silent", At: now, Error: "ask Prometheus: it answered 418"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(measurement{})); diff != "" {
		t.Errorf("measurement (-want +got):\n%s", diff)
	}
}

func TestAnAnswerWithoutEndIsNotRead(t *testing.T) {
	address := server(t, map[string]string{"x": strings.Repeat("x", maxAnswer+1)})
	if _, err := newPrometheus(time.Now).ask(t.Context(), address, "x"); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("got %v, want an error about the length", err)
	}
}

func TestAnErrorDoesNotShowTheAddressThatWasAsked(t *testing.T) {
	_, err := newPrometheus(time.Now).ask(t.Context(), "http://127.0.0.1:1/secret", "query")
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), url.QueryEscape("query")) {
		t.Errorf("got %v, want an error without the address", err)
	}
}
