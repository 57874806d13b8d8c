// Command program stands for the client where a test needs something small to build.
package main

import "fmt"

var version = "unset"

func main() { fmt.Println(version) }
