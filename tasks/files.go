package tasks

// File is one file of a root module.
type File struct {
	Content []byte
	// Secret files are written with mode 0600 whatever the mode of the others.
	Secret bool
}

// Files is a rendered root module and what Terraform needs to run it. It is
// serialisable, so that a run may be made elsewhere.
type Files struct {
	// Dir is the task's absolute directory.
	Dir string
	// Root maps a slash-separated path below Dir to its file. Generated files
	// that are not in Root any more are removed.
	Root map[string]File
	// Workspace is the Terraform workspace: the task's name.
	Workspace string
	// Env is added to Terraform's environment.
	Env map[string]Secret
}
