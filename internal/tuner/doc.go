// Package tuner learns how many busy server connections a database server can use before more of them only make each
// other slower. It is pure: it is told what was observed and says which limit to try.
package tuner
