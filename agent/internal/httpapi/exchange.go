package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// exchange is one request with its answer.
type exchange struct {
	w   http.ResponseWriter
	r   *http.Request
	old bool
}

// idKey is where a request's context has its ID.
type idKey struct{}

// id is the request's ID, in its answer and in the log.
func (x exchange) id() string {
	id, _ := x.r.Context().Value(idKey{}).(string)
	return id
}

// answer writes a body as JSON.
func (x exchange) answer(status int, body any) {
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(status)
	e := json.NewEncoder(x.w)
	e.SetEscapeHTML(false)
	// An error here means that the peer has gone: there is nobody to tell.
	_ = e.Encode(body)
}

// fail writes an error in the contract's form.
func (x exchange) fail(status int, format string, args ...any) {
	f := Failure{Error: Message{Message: fmt.Sprintf(format, args...)}, RequestID: x.id()}
	if x.old {
		f.RequestID = ""
	}
	x.answer(status, f)
}

// name is the task that the path names.
func (x exchange) name() string { return x.r.PathValue("name") }

// unknownTask writes the contract's 404.
func (x exchange) unknownTask() {
	x.fail(http.StatusNotFound, "a task with name '%s' does not exist or has not been initialized yet", clip(x.name()))
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap gives [http.ResponseController] the connection's writer.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// logged gives every answer its ID and the headers that all answers have, and
// logs it.
func (a *api) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, id := time.Now(), a.newID()
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Headers", "Content-Type")
		h.Set("Access-Control-Allow-Methods", "GET, PUT, PATCH, POST, DELETE")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		r = r.WithContext(context.WithValue(r.Context(), idKey{}, id))
		rec := &recorder{ResponseWriter: w}
		a.contained(rec, r, next)
		if r.URL.Path != "/v1/health" && !strings.HasPrefix(r.URL.Path, "/v1/health/") {
			a.Log.Debug("request answered", "uri", clip(r.RequestURI), "method", clip(r.Method), "status_code", rec.status,
				"duration", time.Since(start), "request_id", id)
		}
	})
}

// contained keeps a fault of one request away from the others, and tells of it.
func (a *api) contained(w *recorder, r *http.Request, next http.Handler) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if cause == http.ErrAbortHandler {
			panic(cause)
		}
		a.Log.Error("request panicked", "uri", clip(r.RequestURI), "err", fmt.Sprint(cause), "stack", string(debug.Stack()))
		if w.status == 0 {
			exchange{w: w, r: r}.fail(http.StatusInternalServerError, "the agent failed on this request: a fault of Patchbay; see its log")
		}
	}()
	next.ServeHTTP(w, r)
}

// maxEcho bounds what is repeated of a request, in bytes.
const maxEcho = 512

// clip bounds a text that came with a request.
func clip(s string) string {
	if len(s) <= maxEcho {
		return s
	}
	return s[:maxEcho] + "…"
}
