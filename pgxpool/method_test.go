package pgxpool_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	upstream "github.com/jackc/pgx/v5/pgxpool"

	"github.com/usher-pg/usher/pgxpool"
)

// What pgxpool has and this package deliberately has not, with the reason.
var missing = map[string]string{
	"Pool.AcquireAllIdle": "it is for keep-alive and health checks, which usher does itself (PoolConfig.CheckPeriod); " +
		"taking all idle connections at once would be an emergency for everybody else",
	"AcquireTracer": tracers, "ReleaseTracer": tracers, "TraceAcquireStartData": tracers,
	"TraceAcquireEndData": tracers, "TraceReleaseData": tracers,
}

const tracers = "tracers of acquiring are written for pgxpool's own *Pool; Stat has a histogram of acquisitions by " +
	"lane, and tracers of queries work"

// Types that stand for each other in signatures.
var twins = map[reflect.Type]reflect.Type{
	reflect.TypeFor[*upstream.Pool]():   reflect.TypeFor[*pgxpool.Pool](),
	reflect.TypeFor[*upstream.Conn]():   reflect.TypeFor[*pgxpool.Conn](),
	reflect.TypeFor[*upstream.Config](): reflect.TypeFor[*pgxpool.Config](),
	reflect.TypeFor[*upstream.Stat]():   reflect.TypeFor[*pgxpool.Stat](),
	reflect.TypeFor[*upstream.Tx]():     reflect.TypeFor[*pgxpool.Tx](),
}

// TestThePackageHasWhatPgxpoolHas compares types and functions, methods with their signatures, and the fields
// of Config.
func TestThePackageHasWhatPgxpoolHas(t *testing.T) {
	t.Parallel()
	unused := maps.Clone(missing)
	ours := declared(t, "github.com/usher-pg/usher/pgxpool")
	for _, name := range declared(t, "github.com/jackc/pgx/v5/pgxpool") {
		reason := missing[name]
		delete(unused, name)
		if slices.Contains(ours, name) == (reason != "") {
			t.Errorf("%s: it must either be there or be missing with a reason", name)
		}
	}
	for theirs, ours := range twins {
		name := theirs.Elem().Name()
		for method := range theirs.Methods() {
			reason := missing[name+"."+method.Name]
			delete(unused, name+"."+method.Name)
			own, ok := ours.MethodByName(method.Name)
			switch {
			case ok && reason != "":
				t.Errorf("%s.%s is there: take it out of missing", name, method.Name)
			case ok && !sameShape(own.Type, method.Type):
				t.Errorf("%s.%s is %v, want %v", name, method.Name, own.Type, method.Type)
			case !ok && reason == "":
				t.Errorf("%s.%s is missing without a reason", name, method.Name)
			}
		}
	}
	config := reflect.TypeFor[pgxpool.Config]()
	for field := range reflect.TypeFor[upstream.Config]().Fields() {
		own, ok := config.FieldByName(field.Name)
		if field.IsExported() && (!ok || own.Type != field.Type) {
			t.Errorf("Config.%s is missing or not a %v", field.Name, field.Type)
		}
	}
	if len(unused) > 0 {
		t.Errorf("pgxpool does not have %v: take it out of missing", slices.Collect(maps.Keys(unused)))
	}
}

// declared are the exported types and functions of a package.
func declared(t *testing.T, path string) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", path, err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() {
					names = append(names, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() {
						names = append(names, s.Name.Name)
					}
				}
			}
		}
	}
	if len(names) < 5 {
		t.Fatalf("%s declares only %v", path, names)
	}
	return names
}

// sameShape compares signatures, receivers included.
func sameShape(ours, theirs reflect.Type) bool {
	if ours.NumIn() != theirs.NumIn() || ours.NumOut() != theirs.NumOut() || ours.IsVariadic() != theirs.IsVariadic() {
		return false
	}
	for i := range ours.NumIn() {
		if !sameType(ours.In(i), theirs.In(i)) {
			return false
		}
	}
	for i := range ours.NumOut() {
		if !sameType(ours.Out(i), theirs.Out(i)) {
			return false
		}
	}
	return true
}

func sameType(ours, theirs reflect.Type) bool {
	if twin, ok := twins[theirs]; ok {
		return ours == twin
	}
	if theirs.Kind() == reflect.Func && ours.Kind() == reflect.Func {
		return sameShape(ours, theirs)
	}
	if theirs.Kind() == reflect.Slice && ours.Kind() == reflect.Slice {
		return sameType(ours.Elem(), theirs.Elem())
	}
	return ours == theirs
}

// What programs ask of a pool by interfaces of their own.
var (
	_ interface {
		Begin(ctx ctx) (pgx.Tx, error)
		BeginTx(ctx ctx, options pgx.TxOptions) (pgx.Tx, error)
	} = (*pgxpool.Pool)(nil)
	_ pgx.Tx = (*pgxpool.Tx)(nil)
)
