// Package source reads a configuration file: YAML as a bounded tree of nodes that know their place, and
// errors that quote the file at such a place.
//
// It knows nothing of options. Package config walks the tree and reports what is wrong with it to the Report
// that Parse returned.
//
// The YAML library reads the file into its own tree; this package turns that into a smaller one with only
// what a configuration needs. Decoding into structs is not left to the library, because it stops at the first
// error and cannot say which option it was about.
package source
