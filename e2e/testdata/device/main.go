// Command device is a Terraform provider of a made-up device, for tests: its
// provider block has arguments and a nested block, and what it is given is told
// as a hash alone.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	rules "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func main() {
	err := providerserver.Serve(context.Background(), func() provider.Provider { return &device{} },
		providerserver.ServeOpts{Address: "example.com/test/device"})
	if err != nil {
		log.Fatal(err)
	}
}

// device is the provider; its settings are those of its block.
type device struct {
	Host     types.String `tfsdk:"host"`
	Password types.String `tfsdk:"password"`
	Login    *login       `tfsdk:"login"`
}

type login struct {
	User  types.String `tfsdk:"user"`
	Token types.String `tfsdk:"token"`
}

func (d *device) Metadata(_ context.Context, _ provider.MetadataRequest, r *provider.MetadataResponse) {
	r.TypeName = "device"
}

func (d *device) Schema(_ context.Context, _ provider.SchemaRequest, r *provider.SchemaResponse) {
	r.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"host":     schema.StringAttribute{Required: true},
			"password": schema.StringAttribute{Required: true, Sensitive: true},
		},
		Blocks: map[string]schema.Block{"login": schema.SingleNestedBlock{Attributes: map[string]schema.Attribute{
			"user":  schema.StringAttribute{Required: true},
			"token": schema.StringAttribute{Required: true, Sensitive: true},
		}}},
	}
}

func (d *device) Configure(ctx context.Context, q provider.ConfigureRequest, r *provider.ConfigureResponse) {
	given := &device{}
	r.Diagnostics.Append(q.Config.Get(ctx, given)...)
	r.ResourceData = given
}

func (d *device) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (d *device) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return &rule{} }}
}

// told is what the device says it was given.
func (d *device) told() string {
	sum := sha256.Sum256([]byte(d.Password.ValueString() + " " + d.Login.Token.ValueString()))
	return fmt.Sprintf("%s %s %x", d.Host.ValueString(), d.Login.User.ValueString(), sum)
}

// rule is the resource: it writes what the provider was given to a file.
type rule struct{ device *device }

type ruleModel struct {
	Name types.String `tfsdk:"name"`
	File types.String `tfsdk:"file"`
	Gate types.String `tfsdk:"gate"`
}

func (u *rule) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = "device_rule"
}

func (u *rule) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	r.Schema = rules.Schema{Attributes: map[string]rules.Attribute{
		"name": rules.StringAttribute{Required: true},
		"file": rules.StringAttribute{Required: true},
		"gate": rules.StringAttribute{Required: true},
	}}
}

func (u *rule) Configure(_ context.Context, q resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	u.device, _ = q.ProviderData.(*device)
}

// write tells FILE.begun that it began, waits for the gate, and is refused with the
// password in clear while the gate says so, as careless devices do.
func (u *rule) write(m ruleModel) error {
	if err := os.WriteFile(m.File.ValueString()+".begun", []byte(m.Name.ValueString()), 0o600); err != nil {
		return err
	}
	for {
		word, err := os.ReadFile(m.Gate.ValueString())
		switch {
		case err == nil && string(word) == "refuse":
			return fmt.Errorf("the device refused the password %q and the token %q", u.device.Password.ValueString(), u.device.Login.Token.ValueString())
		case err == nil:
			return os.WriteFile(m.File.ValueString(), []byte(u.device.told()), 0o600)
		case !errors.Is(err, os.ErrNotExist):
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (u *rule) Create(ctx context.Context, q resource.CreateRequest, r *resource.CreateResponse) {
	var m ruleModel
	r.Diagnostics.Append(q.Plan.Get(ctx, &m)...)
	if err := u.write(m); err != nil {
		r.Diagnostics.AddAttributeError(path.Root("name"), "the device refused", err.Error())
		return
	}
	r.Diagnostics.Append(r.State.Set(ctx, &m)...)
}

func (u *rule) Update(ctx context.Context, q resource.UpdateRequest, r *resource.UpdateResponse) {
	var m ruleModel
	r.Diagnostics.Append(q.Plan.Get(ctx, &m)...)
	if err := u.write(m); err != nil {
		r.Diagnostics.AddAttributeError(path.Root("name"), "the device refused", err.Error())
		return
	}
	r.Diagnostics.Append(r.State.Set(ctx, &m)...)
}

func (u *rule) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (u *rule) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}
