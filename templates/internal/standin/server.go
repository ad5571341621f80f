package standin

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Server is a running stand-in; see [Start].
type Server struct {
	provider Provider
	attach   attachment

	mu     sync.Mutex
	live   Calls
	calls  []made
	faults []*Fault
}

// wire speaks Terraform's protocol for a server. What Terraform does not ask of it
// (imports, functions, ephemeral resources) is not there.
type wire struct {
	tfprotov5.ProviderServer
	*Server
}

func (w wire) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	out := &tfprotov5.GetMetadataResponse{ServerCapabilities: &tfprotov5.ServerCapabilities{}}
	for name := range w.provider.Schema.resources {
		out.Resources = append(out.Resources, tfprotov5.ResourceMetadata{TypeName: name})
	}
	for name := range w.provider.Schema.data {
		out.DataSources = append(out.DataSources, tfprotov5.DataSourceMetadata{TypeName: name})
	}
	return out, nil
}

func (w wire) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	s := w.provider.Schema
	return &tfprotov5.GetProviderSchemaResponse{
		ServerCapabilities: &tfprotov5.ServerCapabilities{},
		Provider:           &tfprotov5.Schema{Block: s.provider.SchemaBlock},
		ResourceSchemas:    shapes(s.resources),
		DataSourceSchemas:  shapes(s.data),
	}, nil
}

func (w wire) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

func (w wire) GetFunctions(context.Context, *tfprotov5.GetFunctionsRequest) (*tfprotov5.GetFunctionsResponse, error) {
	return &tfprotov5.GetFunctionsResponse{}, nil
}

func (w wire) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (w wire) ConfigureProvider(ctx context.Context, r *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	out := &tfprotov5.ConfigureProviderResponse{}
	_, config, err := w.provider.Schema.provider.open(r.Config)
	if err != nil {
		out.Diagnostics = problems(err)
		return out, nil
	}
	_, err = w.through(ctx, "configure", "", func() (Object, error) {
		calls, err := w.provider.Configure(ctx, config)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.live = calls
		return nil, nil
	})
	out.Diagnostics = problems(err)
	return out, nil
}

func (w wire) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

func (w wire) ValidateResourceTypeConfig(_ context.Context, r *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	out := &tfprotov5.ValidateResourceTypeConfigResponse{}
	b := w.provider.Schema.resources[r.TypeName]
	v, config, err := b.open(r.Config)
	if err == nil {
		err = b.refuseComputed(v)
	}
	if check := w.provider.Check[r.TypeName]; err == nil && check != nil {
		err = check(config)
	}
	out.Diagnostics = problems(err)
	return out, nil
}

func (w wire) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

func (w wire) UpgradeResourceState(_ context.Context, r *tfprotov5.UpgradeResourceStateRequest) (*tfprotov5.UpgradeResourceStateResponse, error) {
	out := &tfprotov5.UpgradeResourceStateResponse{}
	b := w.provider.Schema.resources[r.TypeName]
	v, err := r.RawState.Unmarshal(b.ValueType())
	if err == nil {
		out.UpgradedState, err = b.seal(v)
	}
	out.Diagnostics = problems(err)
	return out, nil
}

func (w wire) ReadDataSource(ctx context.Context, r *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	out := &tfprotov5.ReadDataSourceResponse{}
	b := w.provider.Schema.data[r.TypeName]
	_, config, err := b.open(r.Config)
	if err == nil {
		out.State, err = w.read(ctx, b, "data."+r.TypeName, config, tftypes.NewValue(b.ValueType(), nil))
	}
	out.Diagnostics = problems(err)
	return out, nil
}

func (w wire) ReadResource(ctx context.Context, r *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	out := &tfprotov5.ReadResourceResponse{NewState: r.CurrentState, Private: r.Private}
	b := w.provider.Schema.resources[r.TypeName]
	v, state, err := b.open(r.CurrentState)
	if err == nil && state != nil {
		out.NewState, err = w.read(ctx, b, r.TypeName, state, v)
	}
	if err != nil {
		out.NewState = r.CurrentState
	}
	out.Diagnostics = problems(err)
	return out, nil
}

func (w wire) PlanResourceChange(_ context.Context, r *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	// The real providers' SDK asks for this: it plans defaults where there are no
	// computed attributes. What is applied is held to the plan here all the same.
	//lint:ignore SA1019 it is meant for that SDK alone, which is what this stands in for
	out := &tfprotov5.PlanResourceChangeResponse{UnsafeToUseLegacyTypeSystem: true, PlannedPrivate: r.PriorPrivate}
	b := w.provider.Schema.resources[r.TypeName]
	prior, _, err := b.open(r.PriorState)
	if err != nil {
		out.Diagnostics = problems(err)
		return out, nil
	}
	proposed, _, err := b.open(r.ProposedNewState)
	if err == nil {
		proposed, out.RequiresReplace, err = b.plan(prior, proposed)
	}
	if err == nil {
		out.PlannedState, err = b.seal(proposed)
	}
	out.Diagnostics = problems(err)
	return out, nil
}

func (w wire) ApplyResourceChange(ctx context.Context, r *tfprotov5.ApplyResourceChangeRequest) (*tfprotov5.ApplyResourceChangeResponse, error) {
	out := &tfprotov5.ApplyResourceChangeResponse{NewState: r.PriorState}
	b := w.provider.Schema.resources[r.TypeName]
	_, prior, err := b.open(r.PriorState)
	if err != nil {
		out.Diagnostics = problems(err)
		return out, nil
	}
	value, planned, err := b.open(r.PlannedState)
	if err != nil {
		out.Diagnostics = problems(err)
		return out, nil
	}
	next, err := w.apply(ctx, r.TypeName, prior, planned)
	state, wrong := b.value(next)
	if wrong == nil {
		state, wrong = b.settle(value, state)
	}
	if wrong == nil {
		out.NewState, wrong = b.seal(state)
	}
	out.Diagnostics = append(problems(err), problems(wrong)...)
	return out, nil
}

// apply makes planned of prior on the device; nil stands for no object. It gives what
// Terraform has to remember.
func (s *Server) apply(ctx context.Context, resource string, prior, planned Object) (Object, error) {
	c, err := s.session(resource)
	if err != nil {
		return prior, err
	}
	switch {
	case prior == nil:
		return s.through(ctx, "create", resource, func() (Object, error) { return c.Create(ctx, planned) })
	case planned == nil:
		if _, err := s.through(ctx, "delete", resource, func() (Object, error) { return nil, c.Delete(ctx, prior) }); err != nil {
			return prior, err
		}
		return nil, nil
	}
	next, err := s.through(ctx, "update", resource, func() (Object, error) { return c.Update(ctx, prior, planned) })
	if err != nil && next == nil {
		return planned, err
	}
	return next, err
}

// read gives the state after a refresh of a resource, or of a data source.
func (s *Server) read(ctx context.Context, b *block, name string, state Object, prior tftypes.Value) (*tfprotov5.DynamicValue, error) {
	c, err := s.session(name)
	if err != nil {
		return nil, err
	}
	found, err := s.through(ctx, "read", name, func() (Object, error) { return c.Read(ctx, state) })
	if err != nil {
		return nil, err
	}
	next, err := b.value(found)
	if err != nil {
		return nil, err
	}
	if next, err = b.settle(prior, next); err != nil {
		return nil, err
	}
	return b.seal(next)
}

func (s *Server) session(resource string) (Call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.live[resource]
	if !ok {
		return Call{}, fmt.Errorf("find calls of %s: the stand-in's Configure gave none", resource)
	}
	return c, nil
}

// open decodes a value of the protocol, also as an object, which is nil for null.
func (b *block) open(d *tfprotov5.DynamicValue) (tftypes.Value, Object, error) {
	v, err := d.Unmarshal(b.ValueType())
	if err != nil {
		return v, nil, fmt.Errorf("decode value: %w", err)
	}
	o, err := object(v)
	return v, o, err
}

func (b *block) seal(v tftypes.Value) (*tfprotov5.DynamicValue, error) {
	d, err := tfprotov5.NewDynamicValue(b.ValueType(), v)
	if err != nil {
		return nil, fmt.Errorf("encode value: %w", err)
	}
	return &d, nil
}

func problems(err error) []*tfprotov5.Diagnostic {
	if err == nil {
		return nil
	}
	return []*tfprotov5.Diagnostic{{Severity: tfprotov5.DiagnosticSeverityError, Summary: err.Error()}}
}
