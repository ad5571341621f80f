package config

// notYet are names of the full surface that are known and not served yet, with
// what holds in the meantime.
var notYet = map[string]string{
	"high_availability":              "run one agent",
	"task.terraform_version":         "use driver \"terraform\" { version }",
	"task.terraform_cloud_workspace": "use driver \"terraform\" with a backend",
}

// laterDrivers are those that CTS knows beside the one that is served now.
var laterDrivers = map[string]bool{"terraform-cloud": true}

// deprecated are the old names that are still taken; no hint offers them.
var deprecated = map[string]bool{"service": true, "task.source": true, "task.source_input": true, "task.services": true,
	"task.condition.services.source_includes_var": true, "task.condition.catalog-services.source_includes_var": true,
	"task.condition.consul-kv.source_includes_var": true}

// instead are hints for names that used to mean something.
var instead = map[string]string{
	"provider":                     "write terraform_provider \"<name>\" { … }",
	"driver.terraform.working_dir": "set working_dir at the top level, or in a task",
	"task.condition":               "write condition \"services\" { … }",
}

// backends are the types that CTS allows, and cloud, http and remote.
var backends = map[string]bool{"azurerm": true, "cloud": true, "consul": true, "cos": true, "gcs": true, "http": true, "kubernetes": true,
	"local": true, "manta": true, "pg": true, "remote": true, "s3": true}

// nearest gives the known name that is at most two changes and at most half of the
// name away; "" when none is.
func nearest(name string, known []string) (best string) {
	least := min(2, len(name)/2) + 1
	for _, k := range known {
		if n := distance(name, k); n < least {
			best, least = k, n
		}
	}
	return best
}

// distance is Levenshtein's, between names of bounded length.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
