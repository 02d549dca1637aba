package main

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-sdk/helper/schema"
)

// No argument of any resource allows these.
const (
	junkText   = "kakera: allowed by nothing"
	junkNumber = -987654321
)

var (
	oneOf   = regexp.MustCompile(`(?s)expected \S+ to be one of \[(.*)\], got`)
	between = regexp.MustCompile(`expected \S+ to be in the range \((-?\d+) - (-?\d+)\), got`)
)

type answer struct {
	values []interface{}
	span   []int
}

var asked = map[*schema.Schema]answer{} // each is asked once, and its values are wanted in every plan

func allowed(s *schema.Schema) ([]interface{}, []int) {
	known, ok := asked[s]
	if !ok {
		known.values, known.span = listen(s)
		asked[s] = known
	}
	return known.values, known.span
}

// listen asks the argument's own validator about a junk value and reads the allowed ones from its complaint. Each is
// then given to the validator, so a misread list is dropped. More than one complaint means alternatives: no list.
func listen(s *schema.Schema) ([]interface{}, []int) {
	if s.ValidateFunc == nil {
		return nil, nil
	}
	switch s.Type {
	case schema.TypeString:
		complaints := complain(s, junkText)
		if len(complaints) != 1 {
			return nil, nil
		}
		if found := oneOf.FindStringSubmatch(complaints[0].Error()); found != nil {
			return phrases(s, strings.Split(found[1], " ")), nil
		}
	case schema.TypeInt:
		complaints := complain(s, junkNumber)
		if len(complaints) != 1 {
			return nil, nil
		}
		if found := oneOf.FindStringSubmatch(complaints[0].Error()); found != nil {
			return numbers(s, strings.Fields(found[1])), nil
		}
		if found := between.FindStringSubmatch(complaints[0].Error()); found != nil {
			return nil, bounds(s, found[1], found[2])
		}
	}
	return nil, nil
}

func complain(s *schema.Schema, value interface{}) (errors []error) {
	defer func() {
		if recover() != nil { // a validator that cannot bear junk names nothing
			errors = nil
		}
	}()
	_, errors = s.ValidateFunc(value, "it")
	return errors
}

// phrases joins words until the validator accepts them: the complaint lists values without quotes, so "Pay by use" is
// three words.
func phrases(s *schema.Schema, words []string) []interface{} {
	if len(words) == 0 {
		return []interface{}{}
	}
	for n := 1; n <= len(words); n++ {
		phrase := strings.Join(words[:n], " ")
		if len(complain(s, phrase)) != 0 {
			continue
		}
		if rest := phrases(s, words[n:]); rest != nil {
			return append([]interface{}{phrase}, rest...)
		}
	}
	return nil
}

func numbers(s *schema.Schema, words []string) []interface{} {
	found := []interface{}{}
	for _, word := range words {
		number, err := strconv.Atoi(word)
		if err != nil || len(complain(s, number)) != 0 {
			return nil
		}
		found = append(found, number)
	}
	return found
}

func bounds(s *schema.Schema, low, high string) []int {
	first, err := strconv.Atoi(low)
	if err != nil {
		return nil
	}
	last, err := strconv.Atoi(high)
	if err != nil || len(complain(s, first)) != 0 || len(complain(s, last)) != 0 {
		return nil
	}
	return []int{first, last}
}
