package config

import (
	"reflect"
	"strings"
	"testing"
)

// outsideRows are the fields that no row reads: they are filled by code of their own.
var outsideRows = map[string]string{
	"Config.Budgets":      "a map; budgetOption documents it",
	"Config.PoolDefaults": "walked as PoolOptions",
	"Config.Pools":        "a map; walked as Pool",
	"Pool.Name":           "the key of the map",
	"Pool.explicit":       "not an option",
	"Pool.PoolOptions":    "walked as PoolOptions",
}

func TestEveryFieldHasARowAndEveryRowAField(t *testing.T) {
	t.Parallel()
	c := Default()
	checkBinding(t, "Config", c, processRows())
	checkBinding(t, "Pool", &Pool{}, identityRows())
	checkBinding(t, "PoolOptions", &c.PoolDefaults, poolOptionRows())
}

func checkBinding[T any](t *testing.T, name string, part *T, rows []row[T]) {
	t.Helper()
	byPlace := map[any]string{}
	for _, r := range rows {
		place := r.at(part).place()
		if first, ok := byPlace[place]; ok {
			t.Errorf("rows %s and %s lead to the same field", first, r.Path)
		}
		byPlace[place] = r.Path
	}
	walkFields(reflect.ValueOf(part).Elem(), name, func(field string, at any) {
		if _, ok := byPlace[at]; !ok {
			t.Errorf("%s has no row: add one to rows_process.go or rows_pool.go, or name it in outsideRows", field)
		}
		delete(byPlace, at)
	})
	for _, path := range byPlace {
		t.Errorf("row %s leads to no field of %s", path, name)
	}
}

// walkFields visits the fields that are not structs themselves, and the structs that are one value.
func walkFields(v reflect.Value, name string, visit func(field string, at any)) {
	for i := range v.NumField() {
		field := name + "." + v.Type().Field(i).Name
		if outsideRows[field] != "" {
			continue
		}
		f := v.Field(i)
		one := f.Type() == reflect.TypeFor[Target]() || f.Type() == reflect.TypeFor[HistoryStore]()
		if f.Kind() == reflect.Struct && !one {
			walkFields(f, field, visit)
			continue
		}
		visit(field, f.Addr().Interface())
	}
}

func TestOptionsAreDocumentedAndNamedOnce(t *testing.T) {
	t.Parallel()
	paths, theirs := map[string]bool{}, map[string]string{}
	for _, o := range Options() {
		if paths[o.Path] {
			t.Errorf("%s is listed twice", o.Path)
		}
		paths[o.Path] = true
		if !strings.HasSuffix(o.Doc, ".") || o.Type == "" {
			t.Errorf("%s needs a documentation of whole sentences and a type", o.Path)
		}
		if first, ok := theirs[o.PgBouncer]; ok && o.PgBouncer != "" && strings.HasPrefix(o.Path, defaultsPath) {
			t.Errorf("%s and %s have the same name in PgBouncer", o.Path, first)
		}
		theirs[o.PgBouncer] = o.Path
	}
}

func TestEveryDefaultIsAValueItsOptionTakes(t *testing.T) {
	t.Parallel()
	for _, r := range globalRows {
		c := Default()
		v := r.at(c)
		if _, ok := v.(sectionList); ok {
			continue // a list of sections has no text of its own
		}
		before := v.text()
		text := before
		if _, ok := v.(listValue); ok {
			text = strings.NewReplacer("[", "", "]", "", `"`, "").Replace(before)
		}
		if err := v.set(text); err != nil {
			t.Errorf("%s does not take its default %s: it %v", r.Path, before, err)
		}
		if after := v.text(); after != before {
			t.Errorf("%s: %s became %s by being read again", r.Path, before, after)
		}
	}
}

func TestEveryURLParameterLeadsToAnOption(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"host": "/run", "port": "1", "sslmode": "require", "sslnegotiation": "direct", "connect_timeout": "3",
	}
	for name, set := range urlParameters {
		p := &Pool{explicit: map[string]bool{}}
		before := *p
		text := values[name]
		if text == "" {
			text = "x"
		}
		if err := set(p, text); err != nil {
			t.Errorf("%s=%s: %v", name, text, err)
		}
		if reflect.DeepEqual(before.PoolOptions, p.PoolOptions) && before.Target == p.Target &&
			before.User == p.User && before.Password == p.Password {
			t.Errorf("%s=%s changed nothing", name, text)
		}
	}
}
