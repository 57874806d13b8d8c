// Package wintest holds the tests of Windows hosts, and the host that they visit: a server built for Windows (winsshd)
// which runs under Wine and behaves as OpenSSH for Windows does. There is nothing in it for others to use.
//
// What it proves is said in docs/windows.md, and what it can't: Wine is not Windows, and the PowerShell here is a stand-in.
// All tests share one Wine prefix, because making one takes seconds: they are the parts of one test.
package wintest
