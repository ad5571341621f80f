package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// described is an option as the help of Consul-Terraform-Sync tells it.
type described struct {
	// byDefault is what counts without it; "" tells none.
	byDefault, text string
}

// legacyOptions are all options under the old name.
var legacyOptions = map[string]described{
	"config-file":  {"", "A configuration file whose name ends in .hcl or .json. May be given several times, also together with -config-dir: all are read in the order given, and later ones are laid over earlier ones."},
	"config-dir":   {"", "A directory whose configuration files are read in the order of their names, without those of directories in it. May be given several times."},
	"inspect":      {"false", "Shows in the log what Terraform would change for every task, then exits. Nothing is changed on the network."},
	"inspect-task": {"", "As -inspect, for the task of this name alone. May be given several times."},
	"once":         {"false", "Runs every task once, then exits. There is no API and nothing is watched."},

	"autocomplete-install":   {"false", "Adds completion of commands to the configuration of your shells, then exits."},
	"autocomplete-uninstall": {"false", "Takes completion of commands out of the configuration of your shells, then exits."},

	"auto-approve": {"false", "Goes on without showing the question and without waiting for an answer."},
	"task-file":    {"", "Required. A file, .hcl or .json, with the one task that is to be created. A path to a module in it is one of the host that Consul-Terraform-Sync runs on."},
	"http-addr":    {"http://localhost:8558", "Where the API of Consul-Terraform-Sync is: a URL with the scheme http or https. May also be set by the environment variable CTS_ADDRESS."},
	"port":         {"8558", "(Deprecated) The port of the API. Use -http-addr, which wins, instead."},
	"ca-cert":      {"", "A file with the certificate of the authority that the API's certificate is checked against. May also be set by CTS_CACERT."},
	"ca-path":      {"", "A directory with certificates of such authorities. May also be set by CTS_CAPATH."},
	"client-cert":  {"", "A file with the certificate to show to an API that verifies its clients; wants -client-key too. May also be set by CTS_CLIENT_CERT."},
	"client-key":   {"", "A file with the private key of -client-cert. May also be set by CTS_CLIENT_KEY."},
	"ssl-verify":   {"true", "Whether the API's certificate is checked. May also be set by CTS_SSL_VERIFY."},
}

// legacyCommands tell what each command does.
var legacyCommands = map[string]string{
	"start":   "Starts Consul-Terraform-Sync. As a daemon it keeps the network as Consul wants it until it is stopped.",
	"task":    "Creates, enables, disables and deletes tasks. Consul-Terraform-Sync must be running.",
	"create":  "Creates a task. The plan of what it would change is shown first; once you approve, the task is made and run.",
	"enable":  "Enables a task, so that changes in Consul run it. The plan of what would change is shown first; once you approve, the task is enabled and run.",
	"disable": "Disables a task, so that changes in Consul do not run it any more. What it made stays as it is.",
	"delete":  "Deletes a task. What it made stays as it is, and so do its workspace and its state.",
}

// legacyUsage is the usage text of a command as Consul-Terraform-Sync lays it out.
func (c *cli) legacyUsage(cmd *cobra.Command) string {
	var b strings.Builder
	options := cmd
	switch {
	case !cmd.HasParent():
		fmt.Fprintf(&b, "Usage CLI: %s <command> [-help] [options]\n\nCommands:\n", legacyName)
		listCommands(&b, cmd)
		options = subcommand(cmd, "start")
	case cmd.HasSubCommands():
		fmt.Fprintf(&b, "Usage: %s %s <subcommand> [-help] [options]\n\n%s\nSubcommands:\n", legacyName, cmd.Name(), told(legacyCommands[cmd.Name()], "  "))
		listCommands(&b, cmd)
		return b.String()
	case cmd.Name() == "start":
		fmt.Fprintf(&b, "Usage CLI: %s start [-help] [options]\n\n%s", legacyName, told(legacyCommands["start"], "  "))
	default:
		use := strings.Replace(cmd.Use, "[options]", "[-help] [options]", 1)
		fmt.Fprintf(&b, "Usage: %s %s %s\n\n%s", legacyName, cmd.Parent().Name(), use, told(legacyCommands[cmd.Name()], "  "))
	}
	b.WriteString("\nOptions:\n")
	options.Flags().VisitAll(func(f *pflag.Flag) {
		d, ok := legacyOptions[f.Name]
		if f.Hidden || !ok {
			return
		}
		fmt.Fprintf(&b, "\n  -%s", f.Name)
		if d.byDefault != "" {
			fmt.Fprintf(&b, " [Default: %s]", d.byDefault)
		}
		b.WriteString("\n" + told(d.text, "      "))
	})
	return b.String()
}

// told indents a text whose lines are at most [width] characters with it.
func told(text, indent string) string {
	var b strings.Builder
	for line := range strings.Lines(wrap(text, width-len(indent)) + "\n") {
		b.WriteString(indent + line)
	}
	return b.String()
}

// listCommands tells of each command what its first sentence does.
func listCommands(b *strings.Builder, cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			first, _, _ := strings.Cut(legacyCommands[sub.Name()], ". ")
			fmt.Fprintf(b, "    %-10s%s\n", sub.Name(), strings.TrimSuffix(first, "."))
		}
	}
}
