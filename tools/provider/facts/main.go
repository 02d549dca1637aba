// Command facts asks Alibaba Cloud's own Terraform provider, linked in as a library, what it knows of its resources,
// and prints the answers as JSON. No network, no credentials: it plans and validates, and applies nothing.
//
// Usage: facts < names   (one Terraform resource type a line; "provider" is the provider's own configuration)
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/aliyun/terraform-provider-alicloud/alicloud"
	"github.com/hashicorp/terraform-plugin-sdk/helper/schema"
)

// Attribute is one argument or result. Element is set for list, set and map; Fields when the element is a block.
type Attribute struct {
	Type         string                `json:"type"`
	Required     bool                  `json:"required,omitempty"`
	Optional     bool                  `json:"optional,omitempty"`
	Computed     bool                  `json:"computed,omitempty"`
	Sensitive    bool                  `json:"sensitive,omitempty"`
	ForceNew     bool                  `json:"force_new,omitempty"`
	Plan         string                `json:"plan,omitempty"`
	MinItems     int                   `json:"min_items,omitempty"`
	MaxItems     int                   `json:"max_items,omitempty"`
	Default      interface{}           `json:"default,omitempty"`
	Values       []interface{}         `json:"values,omitempty"`
	Range        []int                 `json:"range,omitempty"`
	Conflicts    []string              `json:"conflicts,omitempty"`
	ExactlyOneOf []string              `json:"exactly_one_of,omitempty"`
	AtLeastOneOf []string              `json:"at_least_one_of,omitempty"`
	RequiredWith []string              `json:"required_with,omitempty"`
	Deprecated   string                `json:"deprecated,omitempty"`
	Removed      string                `json:"removed,omitempty"`
	Element      *Attribute            `json:"element,omitempty"`
	Fields       map[string]*Attribute `json:"fields,omitempty"`
}

func main() {
	log.SetOutput(io.Discard) // the provider's library logs every step
	schema.SetProto5()        // answer as over the wire
	provider, ok := alicloud.Provider().(*schema.Provider)
	if !ok {
		fail("the provider is not of the SDK this program is built with")
	}
	answers := map[string]map[string]*Attribute{}
	names := bufio.NewScanner(os.Stdin)
	for names.Scan() {
		name := names.Text()
		if name == "provider" {
			answers[name] = describe(provider.Schema)
			continue
		}
		resource, ok := provider.ResourcesMap[name]
		if !ok {
			fail("the provider has no resource " + name)
		}
		answers[name] = describe(resource.Schema)
		ask(provider, name, resource.Schema, answers[name])
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(answers); err != nil {
		fail(err.Error())
	}
}

func fail(reason string) {
	fmt.Fprintln(os.Stderr, "facts: "+reason)
	os.Exit(1)
}

func describe(schemas map[string]*schema.Schema) map[string]*Attribute {
	found := map[string]*Attribute{}
	for name, s := range schemas {
		found[name] = attribute(s)
	}
	return found
}

var kinds = map[schema.ValueType]string{
	schema.TypeBool: "bool", schema.TypeInt: "int", schema.TypeFloat: "float", schema.TypeString: "string",
	schema.TypeList: "list", schema.TypeSet: "set", schema.TypeMap: "map",
}

func attribute(s *schema.Schema) *Attribute {
	made := &Attribute{
		Type: kinds[s.Type], Required: s.Required, Optional: s.Optional, Computed: s.Computed, Sensitive: s.Sensitive,
		ForceNew: s.ForceNew, MinItems: s.MinItems, MaxItems: s.MaxItems, Conflicts: s.ConflictsWith,
		ExactlyOneOf: s.ExactlyOneOf, AtLeastOneOf: s.AtLeastOneOf, RequiredWith: s.RequiredWith,
		Deprecated: s.Deprecated, Removed: s.Removed,
	}
	made.Default, _ = s.DefaultValue()
	made.Values, made.Range = allowed(s)
	switch element := s.Elem.(type) {
	case *schema.Schema:
		made.Element = attribute(element)
	case *schema.Resource:
		if s.Type == schema.TypeMap { // the SDK reads such a map as one of strings
			made.Element = &Attribute{Type: "string"}
		} else {
			made.Fields = describe(element.Schema)
		}
	}
	return made
}
