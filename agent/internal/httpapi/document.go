package httpapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// openapi is the one description of the API: it is served, requests are checked
// against it, and so is all traffic of the tests.
//
//go:embed openapi.yaml
var openapi []byte

// parsedDocument is [openapi] parsed once: it never changes, and parsing takes longer
// than most requests.
var parsedDocument = sync.OnceValue(func() *openapi3.T {
	d, err := openapi3.NewLoader().LoadFromData(openapi)
	if err != nil {
		panic(fmt.Sprintf("read the OpenAPI document, a part of this binary: %v", err))
	}
	return d
})

func (a *api) document(x exchange) {
	x.w.Header().Set("Content-Type", "application/yaml")
	if x.r.Method != http.MethodHead {
		// An error here means that the peer has gone: there is nobody to tell.
		_, _ = x.w.Write(openapi)
	}
}

// parseDefinition reads the body that creates a task and gives its task object.
func parseDefinition(body []byte) (map[string]any, error) {
	request, err := parseJSON(body)
	if err != nil {
		return nil, fmt.Errorf("failed to decode request body: %w", err)
	}
	if err := conforms("TaskRequest", request); err != nil {
		return nil, err
	}
	task := request.(map[string]any)["task"].(map[string]any)
	return task, selectsOnce(task)
}

// selectsOnce refuses a selection of services by both names and regexp, of which
// Consul-Terraform-Sync drops one silently.
func selectsOnce(task map[string]any) error {
	for _, block := range []string{"condition", "module_input"} {
		kinds, _ := task[block].(map[string]any)
		services, _ := kinds["services"].(map[string]any)
		_, names := services["names"]
		_, pattern := services["regexp"]
		if names && pattern {
			return fmt.Errorf("doesn't match schema #/components/schemas/TaskRequest: Error at \"/task/%s/services\": names and regexp exclude each other", block)
		}
	}
	return nil
}

// conforms checks a value against a schema of the document. Its error is in the
// words of Consul-Terraform-Sync, which come from the same library.
func conforms(schema string, value any) error {
	ref := "#/components/schemas/" + schema
	err := parsedDocument().Components.Schemas[schema].Value.VisitJSON(value, openapi3.VisitAsRequest(), openapi3.DisableSchemaErrorDetails())
	if err == nil {
		return nil
	}
	return fmt.Errorf("doesn't match schema %s: %s", ref, clip(err.Error()))
}

// parseJSON decodes exactly one value.
func parseJSON(body []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&value); err != nil {
		return nil, errors.New(clip(err.Error()))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return value, nil
}
