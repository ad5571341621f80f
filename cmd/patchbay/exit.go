package main

import (
	"errors"
	"fmt"
	"strings"
)

// The exit codes, as Consul-Terraform-Sync has them; 3 is Patchbay's own.
const (
	exitDone           = 0
	exitNoSubcommand   = 1
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
	// details are shown below it, one line or several each.
	details []string
	cause   error
}

func (f *failure) Error() string {
	if f.cause == nil {
		return f.what
	}
	return fmt.Sprintf("%s: %v", f.what, f.cause)
}

func (f *failure) Unwrap() error { return f.cause }

// fail makes a runtime error; details say what was done and what to do.
func fail(what string, cause error, details ...string) error {
	return &failure{code: exitError, what: what, details: details, cause: cause}
}

// misuse makes an error of a missing or superfluous argument.
func misuse(command, what string, details ...string) error {
	details = append(details, fmt.Sprintf("For additional help try 'patchbay %s --help'", command))
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
	var p page
	p.line(0, "==> Error: %s", f.what)
	details := f.details
	if f.cause != nil {
		details = append([]string{f.cause.Error()}, details...)
	}
	for _, d := range details {
		for l := range strings.Lines(d) {
			p.line(4, "%s", strings.TrimRight(l, "\r\n"))
		}
	}
	// Nothing is left to tell a failure of standard error to.
	_, _ = fmt.Fprint(c.stderr, p.String())
	return f.code
}
