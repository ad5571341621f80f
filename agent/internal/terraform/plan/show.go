package plan

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// FromShow reads what terraform show tells of a saved plan. The numbers of p must
// be json.Number.
func FromShow(p *tfjson.Plan) (c Contents, err error) {
	for _, rc := range p.ResourceChanges {
		if rc == nil || rc.Change == nil {
			return Contents{}, errors.New("read plan: a change is missing in the output of show")
		}
		o := objectOf(rc.Change)
		o.address, o.deposed, o.typ, o.provider = rc.Address, rc.DeposedKey, rc.Type, rc.ProviderName
		if rc.PreviousAddress != rc.Address {
			o.previous = rc.PreviousAddress
		}
		// Data sources are dropped from the state without touching anything.
		dropped := rc.Mode == tfjson.DataResourceMode && rc.Change.Actions.Delete()
		if !dropped && (o.actions != "no-op" || o.previous != "" || o.importing != "") {
			c.objects = append(c.objects, o)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.OutputChanges)) {
		change := p.OutputChanges[name]
		if change == nil || change.Actions.NoOp() {
			continue
		}
		o := objectOf(change)
		o.address, o.typ = "output."+name, "output"
		c.outputs = append(c.outputs, o)
	}
	// Actions of providers beside resources (Terraform 1.14) are judged by address.
	for _, a := range p.ActionInvocations {
		if a == nil {
			continue
		}
		o := object{address: a.Address, typ: a.Type, provider: a.ProviderName, actions: "update"}
		o.after = flatten(withUnknown(a.ConfigValues, a.ConfigUnknown), truths(a.ConfigSensitive))
		c.objects = append(c.objects, o)
	}
	return c, nil
}

func objectOf(c *tfjson.Change) object {
	var actions []string
	for _, a := range c.Actions {
		actions = append(actions, string(a))
	}
	o := object{
		actions: strings.Join(actions, ","),
		before:  flatten(c.Before, truths(c.BeforeSensitive)),
		after:   flatten(withUnknown(c.After, c.AfterUnknown), truths(c.AfterSensitive)),
	}
	if c.Importing != nil {
		o.importing = cmp.Or(c.Importing.ID, "by identity")
	}
	return o
}
