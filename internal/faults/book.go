package faults

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Book compares, for one kind of data, what was promised with what is there.
type Book interface {
	// Balance is called when nothing is under way any more.
	Balance() Balance
}

// Balance is what a book comes to.
type Balance struct {
	Book     string
	Entries  int       // how many things were compared
	Accounts []Account // every kind of loss that the book would find, found or not
	Notes    []string  // what is worth knowing and no loss
}

// Account is one kind of loss.
type Account struct {
	Title string
	Found []string // each says what, and where
}

// Losses returns how many there are.
func (b Balance) Losses() int {
	n := 0
	for _, a := range b.Accounts {
		n += len(a.Found)
	}
	return n
}

// Account returns the account of a title; the zero Account if there is none.
func (b Balance) Account(title string) Account {
	for _, a := range b.Accounts {
		if a.Title == title {
			return a
		}
	}
	return Account{}
}

// ledger makes a balance: accounts in the order in which they were opened.
type ledger struct{ balance Balance }

func newLedger(book string, accounts ...string) *ledger {
	l := &ledger{Balance{Book: book}}
	for _, title := range accounts {
		l.balance.Accounts = append(l.balance.Accounts, Account{Title: title})
	}
	return l
}

// loss enters a loss into an account that was opened.
func (l *ledger) loss(title, format string, values ...any) {
	for i := range l.balance.Accounts {
		if a := &l.balance.Accounts[i]; a.Title == title {
			a.Found = append(a.Found, fmt.Sprintf(format, values...))
			return
		}
	}
	panic("no account " + title) // a defect of the book
}

// sort makes the order of the losses independent of that of a map.
func (l *ledger) sort() {
	for i := range l.balance.Accounts {
		slices.Sort(l.balance.Accounts[i].Found)
	}
}

func (l *ledger) note(format string, values ...any) {
	l.balance.Notes = append(l.balance.Notes, fmt.Sprintf(format, values...))
}

// examples is how many losses of an account the table shows.
const examples = 5

// WriteTable writes how many faults of each kind there were, and what each book came to, for a person to read.
func WriteTable(w io.Writer, injected map[Kind]int, balances []Balance) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FAULT\tINJECTED")
	kills := 0
	for _, kind := range Kinds() {
		fmt.Fprintf(table, "%s\t%d\n", kind, injected[kind])
		if kind.IsKill() {
			kills += injected[kind]
		}
	}
	fmt.Fprintf(table, "kills in all\t%d\n", kills)
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "BOOK\tENTRIES\tLOSS\tFOUND")
	for _, b := range balances {
		for i, a := range b.Accounts {
			if i == 0 {
				fmt.Fprintf(table, "%s\t%d\t%s\t%d\n", b.Book, b.Entries, a.Title, len(a.Found))
			} else {
				fmt.Fprintf(table, "\t\t%s\t%d\n", a.Title, len(a.Found))
			}
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return writeDetails(w, balances)
}

func writeDetails(w io.Writer, balances []Balance) error {
	losses := 0
	for _, b := range balances {
		losses += b.Losses()
		for _, note := range b.Notes {
			fmt.Fprintf(w, "%s: %s\n", b.Book, note)
		}
		for _, a := range b.Accounts {
			for i, found := range a.Found {
				if i == examples {
					fmt.Fprintf(w, "%s: %s: … and %d more\n", b.Book, a.Title, len(a.Found)-examples)
					break
				}
				fmt.Fprintf(w, "%s: %s: %s\n", b.Book, a.Title, found)
			}
		}
	}
	_, err := fmt.Fprintf(w, "losses: %d\n", losses)
	return err
}
