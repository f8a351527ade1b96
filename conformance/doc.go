// Package conformance holds usher against PostgreSQL: what real drivers and programs do through usher must
// come out as it does without usher. Everything here needs a real PostgreSQL (the tests start their own) and
// the built binary bin/usher; it is compiled and run with
//
//	go test -tags integration ./conformance/...
//
// Almost every scenario runs twice, as subtests "postgres" and "usher": against PostgreSQL itself, which
// shows that the scenario is right, and through usher, which shows that usher is.
//
//	USHER_TARGETS=postgres      run against PostgreSQL only
//	USHER_CHAOS_SECONDS=300     how long the chaos test lasts
//	USHER_SEED=7                repeat the random choices of a run that printed this seed
//
// The wire transcripts in testdata/wire are recorded from PostgreSQL with
//
//	go test -tags integration ./conformance -run TestWire -rewrite
package conformance
