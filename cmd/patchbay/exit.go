package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The exit codes, as Consul-Terraform-Sync has them; 2, 3 and findings of a module
// are Patchbay's own.
const (
	exitDone           = 0
	exitNoSubcommand   = 1
	exitFindings       = 1
	exitDifferent      = 2
	exitHeld           = 3
	exitError          = 11
	exitStopped        = 12
	exitArgument       = 13
	exitFlag           = 14
	exitConfig         = 15
	exitTerraform      = 16
	exitUnknownCommand = 127
)

// failure is an error that knows its exit code and what to tell a person.
type failure struct {
	code int
	// what happened, as the headline; "" shows nothing.
	what string
	// details are shown below it, one line or several each, then the cause.
	details []string
	cause   error
	// bare leaves "Error: " out of the headline.
	bare bool
	// advice says what was done and what to do; Consul-Terraform-Sync gives none.
	advice []string
}

func (f *failure) Error() string {
	if f.cause == nil {
		return f.what
	}
	return fmt.Sprintf("%s: %v", f.what, f.cause)
}

func (f *failure) Unwrap() error { return f.cause }

// fail makes a runtime error; advice says what was done and what to do.
func fail(what string, cause error, advice ...string) error {
	return &failure{code: exitError, what: what, cause: cause, advice: advice}
}

// misuse makes an error of a missing or superfluous argument.
func (c *cli) misuse(command, what string, details ...string) error {
	details = append(details, fmt.Sprintf("For additional help try '%s %s --help'", c.name(), command))
	return &failure{code: exitArgument, what: what, details: details}
}

// report shows an error and gives its exit code.
func (c *cli) report(err error) int {
	if err == nil {
		return exitDone
	}
	f := &failure{code: exitError, what: err.Error()}
	if g, ok := errors.AsType[*failure](err); ok {
		f = g
	}
	if f.what == "" {
		return f.code
	}
	what := f.what
	if !f.bare {
		what = "Error: " + what
	}
	// Nothing is left to tell a failure of these writes to.
	if c.legacy {
		_, _ = fmt.Fprintf(c.stderr, "==> %s\n", printable(what))
		for _, d := range f.details {
			_, _ = fmt.Fprintf(c.stdout, "%s\n", indented(printable(d, '\n')))
		}
		if f.cause != nil {
			_, _ = fmt.Fprintf(c.stdout, "%s\n", indented(wrap(printable(f.cause.Error(), '\n'), width)))
		}
		return f.code
	}
	details := slices.Clone(f.details)
	if f.cause != nil {
		details = append(details, f.cause.Error())
	}
	var p page
	p.line(0, "==> %s", what)
	for _, d := range append(details, f.advice...) {
		for l := range strings.Lines(d) {
			p.line(4, "%s", strings.TrimRight(l, "\r\n"))
		}
	}
	_, _ = fmt.Fprint(c.stderr, p.String())
	return f.code
}
