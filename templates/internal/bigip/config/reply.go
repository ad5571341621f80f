package config

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Reply is an answer: its status and what is encoded as its body, nil for none.
type Reply struct {
	Status int
	Body   any
}

// OK is an answer of success.
func OK(body any) Reply { return Reply{http.StatusOK, body} }

// Refuse is an error in the form of iControl REST.
func Refuse(status int, format string, args ...any) Reply {
	return Reply{status, map[string]any{"code": status, "message": fmt.Sprintf(format, args...), "errorStack": []any{}, "apiError": 3}}
}

// Object decodes a body that must be a JSON object.
func Object(body string) (map[string]any, bool) {
	var out map[string]any
	err := json.Unmarshal([]byte(body), &out)
	return out, err == nil && out != nil
}
