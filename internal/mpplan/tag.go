package mpplan

import "strings"

// tag is a struct tag of v5: "name,option,option:value,option:'va,lue'". A first
// part with a colon is an option, and the name is empty.
type tag struct {
	name    string
	options map[string]string

	rest  string
	named bool // the first part has been read
}

// parseTag reads s as v5 does, oddities included.
func parseTag(s string) tag {
	t := tag{options: make(map[string]string), rest: s}
	for more := true; more; {
		more = t.part()
	}
	return t
}

func (t *tag) has(option string) bool {
	_, ok := t.options[option]
	return ok
}

func (t *tag) set(key, value string) {
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	first := !t.named
	t.named = true
	switch {
	case first && key == "":
		t.name = value
	case key == "":
		t.options[value] = ""
	default:
		t.options[key] = value
	}
}

// part reads up to the next comma, and reports whether there is more.
func (t *tag) part() (more bool) {
	i := strings.IndexAny(t.rest, ",:'")
	if i < 0 {
		if t.rest != "" {
			t.set("", t.rest)
		}
		return false
	}
	before, c := t.rest[:i], t.rest[i]
	t.rest = t.rest[i+1:]
	switch c {
	case ',':
		t.rest = strings.TrimPrefix(t.rest, " ")
		t.set("", before)
		return true
	case '\'':
		return t.quoted("")
	}
	if strings.HasPrefix(t.rest, "'") {
		t.rest = t.rest[1:]
		return t.quoted(before)
	}
	return t.plain(before)
}

// plain reads a value without quotes; commas in brackets belong to it.
func (t *tag) plain(key string) (more bool) {
	var value []byte
	depth := 0
	for i := 0; i < len(t.rest); i++ {
		c := t.rest[i]
		switch {
		case c == '\\':
			c = 0 // what v5 reads after the end
			if i++; i < len(t.rest) {
				c = t.rest[i]
			}
		case depth == 0 && c == ',':
			t.rest = strings.TrimPrefix(t.rest[i+1:], " ")
			t.set(key, string(value))
			return true
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		}
		value = append(value, c)
	}
	t.set(key, string(value))
	return false
}

// quoted reads up to the next quote that has no backslash before it.
func (t *tag) quoted(key string) (more bool) {
	var value strings.Builder
	for {
		before, after, ok := strings.Cut(t.rest, "'")
		t.rest = after
		if kept, escaped := strings.CutSuffix(before, `\`); ok && escaped {
			value.WriteString(kept + "'")
			continue
		}
		value.WriteString(before)
		break
	}
	t.set(key, value.String())
	if strings.HasPrefix(t.rest, ",") {
		t.rest = strings.TrimPrefix(t.rest[1:], " ")
	}
	return true
}
