package provider

import (
	"context"
	"errors"
	"fmt"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/standin"
)

// New gives hashicorp/azurerm, as far as the shipped modules use it, with all requests
// that the real one makes to s for an object, in its order.
func New(s *azure.Server) standin.Provider {
	return standin.Provider{
		Source: "hashicorp/azurerm",
		Schema: standin.AzureRM(),
		Configure: func(ctx context.Context, config standin.Object) (standin.Calls, error) {
			features := config.Objects("features")
			if len(features) != 1 {
				return nil, errors.New("insufficient features blocks: the provider block needs features {}")
			}
			c, err := login(ctx, s)
			if err != nil {
				return nil, err
			}
			c.persist = features[0].Bool("persist_id_on_create_before_polling_for_completion")
			return c.calls(), nil
		},
		Check: checks,
	}
}

func (c *client) calls() standin.Calls {
	return standin.Calls{
		"azurerm_ip_group":                        c.call(ipGroup),
		"azurerm_network_security_rule":           c.call(rule),
		"azurerm_private_dns_a_record":            c.call(record),
		"azurerm_application_gateway":             c.call(gateway),
		"azurerm_nginx_configuration":             c.call(nginx),
		"azurerm_lb_backend_address_pool_address": c.addressCall(),
		"data.azurerm_ip_group":                   c.data(ipGroup),
		"data.azurerm_ip_groups":                  {Read: c.readIPGroups},
		"data.azurerm_network_security_group":     {Read: c.readSecurityGroup},
		"data.azurerm_lb_backend_address_pool":    {Read: c.readPool},
		"data.azurerm_private_dns_a_record":       c.data(recordData),
	}
}

// resource is how the provider maps one of its types to an object of ARM.
type resource struct {
	id func(standin.Object) string
	// expand makes the document of a PUT; before is what ARM has, nil if nothing.
	expand func(o standin.Object, before azure.Body) azure.Body
	// flatten reads a document; what it does not tell stays as in state.
	flatten func(state standin.Object, document azure.Body) standin.Object
	// direct is without polls and without a GET before each change.
	direct bool
	// looks is with a GET before it is deleted.
	looks bool
}

// call makes the provider's calls: look, write, poll, read.
func (c *client) call(r resource) standin.Call {
	read := func(ctx context.Context, state standin.Object) (standin.Object, error) {
		document, err := c.get(ctx, r.id(state))
		if err != nil || document == nil {
			return nil, err
		}
		return r.flatten(state, document).With(standin.Object{"id": r.id(state)}), nil
	}
	return standin.Call{
		Read: read,
		Create: func(ctx context.Context, planned standin.Object) (standin.Object, error) {
			id := r.id(planned)
			if has, err := c.get(ctx, id); err != nil || has != nil {
				return nil, exists(id, err)
			}
			if began, err := c.write(ctx, r, id, r.expand(planned, nil)); err != nil {
				if began && c.persist {
					return planned.With(standin.Object{"id": id}), err
				}
				return nil, err
			}
			return read(ctx, planned)
		},
		Update: func(ctx context.Context, prior, planned standin.Object) (standin.Object, error) {
			id := r.id(prior)
			var before azure.Body
			if !r.direct {
				var err error
				if before, err = c.get(ctx, id); err != nil || before == nil {
					return nil, fmt.Errorf("retrieving %s: it is not there: %v", id, err)
				}
			}
			if _, err := c.write(ctx, r, id, r.expand(planned, before)); err != nil {
				return nil, err
			}
			return read(ctx, planned)
		},
		Delete: func(ctx context.Context, state standin.Object) error {
			if r.looks {
				if has, err := c.get(ctx, r.id(state)); err != nil || has == nil {
					return err
				}
			}
			return c.remove(ctx, r.id(state), r.direct)
		},
	}
}

func (c *client) write(ctx context.Context, r resource, id string, body azure.Body) (began bool, err error) {
	if r.direct {
		_, _, err := c.send(ctx, "PUT", c.url(id), body)
		return false, err
	}
	return c.put(ctx, id, body)
}

// data makes the call of a data source for what is also a resource.
func (c *client) data(r resource) standin.Call {
	return standin.Call{Read: func(ctx context.Context, config standin.Object) (standin.Object, error) {
		id := r.id(config)
		document, err := c.get(ctx, id)
		if err == nil && document == nil {
			err = fmt.Errorf("%s was not found", id)
		}
		if err != nil {
			return nil, err
		}
		out := r.flatten(config, document).With(standin.Object{"id": id})
		delete(out, "firewall_ids") // resources alone have these
		delete(out, "firewall_policy_ids")
		return out, nil
	}}
}

// exists is how the provider refuses to take over what it did not make.
func exists(id string, err error) error {
	if err != nil {
		return fmt.Errorf("checking for presence of existing %s: %w", id, err)
	}
	return fmt.Errorf("a resource with the ID %q already exists - to be managed via Terraform this resource needs to be imported into the State", id)
}
