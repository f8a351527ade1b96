// Package pool is usher's engine: it decides who gets one of a few interchangeable resources, who waits, and how many
// resources should be open.
package pool
