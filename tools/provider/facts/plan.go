package main

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-sdk/helper/schema"
	"github.com/hashicorp/terraform-plugin-sdk/terraform"
)

// What a plan may say of a changed argument.
const (
	replaces   = "replaces"
	updates    = "updates"
	suppressed = "suppressed" // in no attempt did the provider see a change
)

// The SDK's mark for what is known only after apply.
const unknown = "74D93920-ED26-11E3-AC10-0800200C9A66"

// attempt is one surrounding in which a change is planned: many arguments count only beside some values of others.
type attempt struct {
	whole bool // every optional neighbour is given, else the required ones alone
	other int  // which of their allowed values the neighbours have
	from  int  // the value changes from this variant to the other one
}

// The first surroundings give every neighbour its nth value, the later ones each neighbour another.
const alike, mixed = 4, 20

var attempts = func() (all []attempt) {
	for other := 0; other < alike+mixed; other++ {
		for from := 0; from < 2; from++ {
			if other < alike {
				all = append(all, attempt{false, other, from})
			}
			all = append(all, attempt{true, other, from})
		}
	}
	return all
}()

func (a attempt) pick(name string) int {
	if a.other < alike {
		return a.other
	}
	sum := fnv.New32a()
	fmt.Fprint(sum, name, a.other)
	return int(sum.Sum32() % 97)
}

// ask has the provider plan a change of each argument of a resource that exists, and notes the answer in `found`.
// One answer is enough, unless the resource has code of its own that may force a replacement in some surroundings.
func ask(provider *schema.Provider, name string, schemas map[string]*schema.Schema, found map[string]*Attribute) {
	custom := provider.ResourcesMap[name].CustomizeDiff != nil
	each(schemas, found, nil, func(path []string, answer *Attribute) {
		seen := map[string]bool{}
		for _, a := range attempts {
			seen[plan(provider, name, schemas, path, a)] = true
			if seen[replaces] || seen[updates] && !custom {
				break
			}
		}
		switch {
		case seen[replaces]:
			answer.Plan = replaces
		case seen[updates]:
			answer.Plan = updates
		default:
			answer.Plan = suppressed
		}
	})
}

func each(
	schemas map[string]*schema.Schema, found map[string]*Attribute, above []string, visit func([]string, *Attribute),
) {
	for name, s := range schemas {
		if !s.Required && !s.Optional {
			continue
		}
		path := append(append([]string{}, above...), name)
		visit(path, found[name])
		if block, ok := s.Elem.(*schema.Resource); ok && s.Type != schema.TypeMap {
			each(block.Schema, found[name].Fields, path, visit)
		}
	}
}

// plan answers as PlanResourceChange does: SimpleDiff is what that call wraps.
func plan(provider *schema.Provider, name string, schemas map[string]*schema.Schema, path []string, a attempt) (said string) {
	defer func() {
		if recover() != nil { // a suppressor that asks the cloud sees none
			said = suppressed
		}
	}()
	info := &terraform.InstanceInfo{Type: name}
	before := config(schemas, path, a, a.from)
	created, err := provider.SimpleDiff(info, nil, terraform.NewResourceConfigRaw(before))
	if err != nil {
		return suppressed
	}
	state := (&terraform.InstanceState{ID: "it"}).MergeDiff(created)
	state.ID = "it"
	state.Attributes["id"] = "it"
	for key, value := range state.Attributes {
		if value == unknown {
			delete(state.Attributes, key)
		}
	}
	after := config(schemas, path, a, 1-a.from)
	changed, err := provider.SimpleDiff(info, state, terraform.NewResourceConfigRaw(after))
	if err != nil || changed == nil {
		return suppressed
	}
	said = suppressed
	for key, change := range changed.Attributes {
		if change == nil || !within(key, path) || (change.Old == change.New && !change.NewComputed && !change.NewRemoved) {
			continue
		}
		if change.RequiresNew {
			return replaces
		}
		said = updates
	}
	return said
}

// within says whether a key of a plan, `disks.0.size` or `disks.#`, is the path itself and not an argument inside it.
func within(key string, path []string) bool {
	var names []string
	for _, part := range strings.Split(key, ".") {
		if _, err := strconv.Atoi(part); err != nil && part != "#" && part != "%" {
			names = append(names, part)
		}
	}
	if len(names) < len(path) {
		return false
	}
	for n, name := range path {
		if names[n] != name {
			return false
		}
	}
	// A map's own keys come after its name.
	return len(names) == len(path) || !strings.Contains(key, "#") && names[len(path)] == "key"
}

func config(schemas map[string]*schema.Schema, path []string, a attempt, variant int) map[string]interface{} {
	made := map[string]interface{}{}
	for name, s := range schemas {
		aimed := len(path) > 0 && path[0] == name
		switch {
		case !s.Required && !s.Optional:
		case aimed:
			if v := aim(s, path[1:], a, variant); v != nil {
				made[name] = v
			}
		case s.Required || a.whole && s.Deprecated == "" && s.Removed == "":
			made[name] = value(s, a, a.pick(name))
		}
	}
	return made
}

// aim makes the argument a change is asked of; nil leaves it out.
func aim(s *schema.Schema, rest []string, a attempt, variant int) interface{} {
	block, ok := s.Elem.(*schema.Resource)
	if !ok || s.Type == schema.TypeMap {
		return value(s, a, variant)
	}
	if len(rest) > 0 {
		return []interface{}{config(block.Schema, rest, a, variant)}
	}
	one, two := config(block.Schema, nil, a, 0), config(block.Schema, nil, attempt{whole: true, other: a.other + 1}, 1)
	switch {
	case variant == 0:
		return []interface{}{one}
	case s.MaxItems == 1 || s.MaxItems == 0 && a.other%2 == 1 && s.Optional:
		return nil
	default:
		return []interface{}{one, two}
	}
}

func value(s *schema.Schema, a attempt, variant int) interface{} {
	switch s.Type {
	case schema.TypeMap:
		if inner, ok := s.Elem.(*schema.Schema); ok {
			return map[string]interface{}{"key": scalar(inner, variant)}
		}
		return map[string]interface{}{"key": fmt.Sprint("kakera", variant)}
	case schema.TypeList, schema.TypeSet:
		if block, ok := s.Elem.(*schema.Resource); ok {
			return []interface{}{config(block.Schema, nil, a, variant)}
		}
		if inner, ok := s.Elem.(*schema.Schema); ok {
			return []interface{}{value(inner, a, variant)}
		}
		return []interface{}{}
	}
	return scalar(s, variant)
}

func scalar(s *schema.Schema, variant int) interface{} {
	values, span := allowed(s)
	if len(values) > 1 {
		return values[variant%len(values)]
	}
	switch s.Type {
	case schema.TypeBool:
		return variant%2 == 1
	case schema.TypeInt:
		if span != nil && span[1] > span[0] {
			return span[0] + variant%2
		}
		return 11 + variant
	case schema.TypeFloat:
		return 11.5 + float64(variant)
	}
	return fmt.Sprint("kakera", variant)
}
