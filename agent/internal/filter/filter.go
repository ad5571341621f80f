package filter

import (
	"errors"
	"fmt"
	"strings"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	bexpr "github.com/hashicorp/go-bexpr"
)

// MaxLength is the longest expression in bytes; a query's URL holds no more either.
const MaxLength = 8 << 10

// maxSteps bounds the parser, whose time doubles with each nested parenthesis. An
// expression of MaxLength bytes without nesting needs less than half of it.
const maxSteps = 2_000_000

// Compile makes a matcher of a Consul filter expression. The empty expression
// gives nil, which matches all. The error says what is wrong, where the parser
// knows with line and column inside the expression.
func Compile(expr string) (tasks.Matcher, error) {
	if strings.TrimSpace(expr) == "" {
		return nil, nil
	}
	if len(expr) > MaxLength {
		return nil, fmt.Errorf("parse filter: %d bytes are too many, at most %d are read", len(expr), MaxLength)
	}
	if _, err := bexpr.Parse("", []byte(expr), bexpr.MaxExpressions(maxSteps)); err != nil {
		return nil, fmt.Errorf("parse filter: %w", plain(err))
	}
	eval, err := bexpr.CreateEvaluatorForType(expr, nil, entry{})
	if err != nil {
		return nil, fmt.Errorf("check filter: %w", plain(err))
	}
	return func(i catalog.Instance) bool {
		// Compiling has checked fields, operators and values, so an error is a
		// fault of the library: no match, and a guard sees the members go.
		ok, err := eval.Evaluate(toEntry(i))
		return err == nil && ok
	}, nil
}

// plain shortens the parser's list of errors to the first and drops its internal
// rule names.
func plain(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if field, ok := strings.CutPrefix(text, `Selector "`); ok {
		name, _, _ := strings.Cut(field, `"`)
		return fmt.Errorf("the field %s is not known; known are Node.{ID, Node, Address, Datacenter, TaggedAddresses, Meta}, "+
			"Service.{ID, Service, Kind, Tags, Address, Port, Meta, Weights, TaggedAddresses, Namespace} and "+
			"Checks.{Node, CheckID, Name, Status, Notes, Output, ServiceID, ServiceName, ServiceTags, Type}", name)
	}
	if strings.Contains(text, "max number of expressions parsed") {
		return errors.New("the expression is nested too deeply: use fewer parentheses")
	}
	return errors.New(text)
}
