// Package measuretest lets the tests of a contestant run all of its workloads at the smallest sizes.
package measuretest
