package lint

import (
	"strings"

	"patchbay/templates/source"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// provisioner judges one run.
func (l *linter) provisioner(r run) {
	l.hangs(r)
	for _, a := range r.shell {
		if l.fromConsul(a.Expr, r.of, true) {
			l.add(a.All, advice{Error, "shell-text", "what is registered in Consul becomes part of a script: a name or tag with a quote or $( in it runs as a command",
				"keep the command constant and give values by environment"}, "%s puts values from Consul into shell text", r.where)
		}
	}
	for _, a := range r.commands {
		if l.fromConsul(a.Expr, r.of, false) && !l.isShell(r, a) {
			l.add(a.All, advice{Error, "content-in-argv", "a command line takes 128 KiB per word at most, and every user of the machine can read it",
				"give the content by environment, as base64gzip in pieces of at most 96 KiB"}, "%s puts values from Consul on a command line", r.where)
		}
		if name := l.secretIn(a.Expr); name != "" {
			l.add(a.All, advice{Error, "secret-in-argv", "every user of the machine can read a command line, and Terraform shows it in its log",
				"give it by environment, or the path of a file that holds it"}, "%s puts %s on a command line", r.where, name)
		}
	}
	for _, a := range r.settings {
		if l.fromConsul(a.Expr, r.of, false) && !l.inPieces(a.Expr) {
			l.add(a.Name, advice{Warning, "large-environment", "Linux takes at most 128 KiB in one variable: plain text of servers passes that at about 2,000 instances, and the run fails",
				"give it as base64gzip in pieces of at most 96 KiB: for n in range(ceil(length(x) / 98304)) : substr(x, n * 98304, 98304)"}, "%s gives values from Consul in one variable", r.where)
		}
	}
	if a, ok := r.Attrs["interpreter"]; ok && notSh.MatchString(source.Words(a.Expr)) {
		l.add(a.All, advice{Warning, "not-sh", "it is not on every machine, Alpine and most containers have none of them", "use /bin/sh and POSIX commands"}, "%s needs an interpreter besides sh", r.where)
	}
	if a, ok := r.Attrs["on_failure"]; ok && (strings.TrimSpace(l.Source(a)) == "continue" || r.Literal("on_failure") == "continue") {
		l.add(a.Name, advice{Error, "hidden-failure", "the run is recorded as applied though the device may be as before, and nothing tries again", "remove it"}, "%s goes on after a failure", r.where)
	}
}

func (l *linter) isShell(r run, a source.Attr) bool {
	for _, s := range r.shell {
		if s.All == a.All {
			return true
		}
	}
	return false
}

// hangs tells what may keep a run from ending.
func (l *linter) hangs(r run) {
	why := "nobody answers it: the run hangs or fails, and holds the lock of its state"
	if !bounded.MatchString(r.text) {
		l.add(r.At, advice{Warning, "no-timeout", "a device that does not answer keeps the run, its lock and a slot of Patchbay for ever",
			"bound it, such as by timeout 60 or by curl --max-time 60, in the command or in its script"}, "%s has no bound on its time", r.where)
	}
	if asksSudo.MatchString(r.text) {
		l.add(r.At, advice{Warning, "asks", why, "use sudo -n"}, "%s runs sudo, which may ask for a password", r.where)
	}
	if asksSSH.MatchString(r.text) && !noBatch.MatchString(r.text) {
		l.add(r.At, advice{Warning, "asks", why, "use ssh -o BatchMode=yes"}, "%s runs ssh, which may ask for a password or about a host's key", r.where)
	}
	for _, a := range r.shell {
		if asksRead.MatchString(source.Words(a.Expr)) {
			l.add(a.All, advice{Warning, "asks", "nothing comes from standard input", "give the value by environment"}, "%s reads standard input", r.where)
		}
	}
}

// secretIn names a variable in an expression that holds a secret: one that is
// sensitive, or has the name of one and is no path of a file.
func (l *linter) secretIn(e hclsyntax.Expression) (found string) {
	l.follow(e, map[string]bool{}, func(e hclsyntax.Expression) {
		for _, t := range e.Variables() {
			name, ok := second(t)
			if !ok || t.RootName() != "var" || found != "" {
				continue
			}
			lower := strings.ToLower(name)
			if l.sensitive(name) || secret.MatchString(name) && !strings.HasSuffix(lower, "file") && !strings.HasSuffix(lower, "path") {
				found = "var." + name
			}
		}
	})
	return found
}

func (l *linter) sensitive(name string) bool {
	for _, b := range l.Of("variable") {
		if b.Label(0) == name {
			return strings.TrimSpace(l.Source(b.Attrs["sensitive"])) == "true"
		}
	}
	return false
}

// inPieces tells whether a content is cut by substr.
func (l *linter) inPieces(e hclsyntax.Expression) (found bool) {
	l.follow(e, map[string]bool{}, func(e hclsyntax.Expression) {
		source.Visit(e, func(n hclsyntax.Node) {
			if c, ok := n.(*hclsyntax.FunctionCallExpr); ok && c.Name == "substr" {
				found = true
			}
		})
	})
	return found
}
