// Package afterapply does what some providers need once Terraform has applied a
// task: panos has its changes committed on the firewall, fake-sync pretends.
//
// It promises that [Steps.Run] returns nil only when the devices have taken over what
// was applied; otherwise the caller runs the steps again, and doing so is harmless:
// a commit without changes is a success. In go the provider blocks of a task with
// their values filled in; out comes an error with the device's own words. No error
// and no log line shows a password or an API key, and neither stands in a URL.
//
// # Design
//
// PAN-OS keeps what is written to it as a candidate until it is committed. A commit
// publishes the candidate of everybody; so only the changes of the block's username
// are committed, by the XML API's partial commit, and the job is watched to its end.
// The XML API is spoken with net/http and encoding/xml: requests are forms in the
// body of a POST, answers are bounded and taken strictly. The SDK of the vendor was
// refused: it waits without a context, cannot be bounded, and logs on its own.
// Connection arguments have the names, the order of sources (block, environment, file)
// and the bounds of the provider, except that certificates are verified unless the
// configuration says otherwise.
package afterapply
