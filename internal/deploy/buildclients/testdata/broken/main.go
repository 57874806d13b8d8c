//go:build linux

// Command broken builds for Linux alone.
package main

func main() {}
