package failure_test

import "golang.org/x/sys/windows"

const (
	errRefused = windows.WSAECONNREFUSED
	errNoRoute = windows.WSAEHOSTUNREACH
)
