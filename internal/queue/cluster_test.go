package queue_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/queue"
	"muster/internal/testserver"
)

// clusterOptions are those of an empty queue in a cluster.
func clusterOptions(n *testserver.NATS, replicas int) queue.Options {
	return queue.Options{
		Readers: []string{"store", "alert"},
		Cluster: &queue.Cluster{
			URLs: n.URLs("tls"), Username: n.User(), Password: n.Password, CA: n.CA, Replicas: replicas,
		},
	}
}

func TestInACluster(t *testing.T) {
	n := testserver.StartNATS(t, 3)
	suite(t, func(*testing.T) queue.Options { return clusterOptions(n, 3) })
	t.Run("replicas", func(t *testing.T) { testReplicas(t, n) })
	t.Run("max_payload", func(t *testing.T) { testMaxPayload(t, clusterOptions(n, 3)) })
	t.Run("deleted stream", func(t *testing.T) { testDeletedStream(t, n, "store") })
	t.Run("deleted stream that was read", func(t *testing.T) { testDeletedStream(t, n, "store", "alert") })
	t.Run("servers that restart", func(t *testing.T) { testServersThatRestart(t, n) })
	t.Run("no quorum", func(t *testing.T) { testNoQuorum(t, n) })
}

func testReplicas(t *testing.T, n *testserver.NATS) {
	o := clusterOptions(n, 3)
	q := open(t, o)
	if err := q.Table("alerts").Put(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	js := n.Connect(o.Cluster.Username)
	streams := 0
	for info := range js.ListStreams(t.Context()).Info() {
		streams++
		if info.Config.Replicas != 3 || len(info.Cluster.Replicas) != 2 {
			t.Errorf("stream %s has %d replicas", info.Config.Name, info.Config.Replicas)
		}
	}
	if streams != 4 {
		t.Errorf("%d streams", streams)
	}
}

// A server takes messages of 1 MiB unless its configuration says otherwise.
func testMaxPayload(t *testing.T, o queue.Options) {
	q := open(t, o)
	large := queue.Entry{Kind: "visit", ID: "large", Data: noise(1, 1<<20)}
	if err := q.Put(t.Context(), large); !errors.Is(err, queue.ErrTooLarge) || !strings.Contains(err.Error(), "raise max_payload") {
		t.Fatal(err)
	}
	if err := q.Table("alerts").Put(t.Context(), "a", large.Data); !errors.Is(err, queue.ErrTooLarge) {
		t.Fatal(err)
	}
	almost := queue.Entry{Kind: "visit", ID: "almost", Data: noise(2, 1<<20-8<<10)}
	if err := q.Put(t.Context(), almost); err != nil {
		t.Fatal(err)
	}
	entries, err := reader(t, q, "store").Next(t.Context(), 1)
	if err != nil || string(entries[0].Data) != string(almost.Data) {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if err := q.Bury(t.Context(), entries[0], strings.Repeat("a long reason ", 1000)); err != nil {
		t.Fatal(err)
	}
}

// testDeletedStream deletes the stream when some readers are behind what is in it.
func testDeletedStream(t *testing.T, n *testserver.NATS, behind ...string) {
	o := clusterOptions(n, 3)
	q := open(t, o)
	put(t, q, 0, 5)
	for _, name := range behind {
		take(t, reader(t, q, name), 5)
	}
	if err := n.Connect(o.Cluster.Username).DeleteStream(t.Context(), "MUSTER"); err != nil {
		t.Fatal(err)
	}
	put(t, q, 5, 8)
	if err := q.Look(t.Context()); err != nil { // deletes what everybody is done with
		t.Fatal(err)
	}
	for _, name := range []string{"store", "alert"} {
		if got := strings.Join(take(t, reader(t, q, name), 3), " "); got != numbers(5, 8) {
			t.Errorf("%s reads %s", name, got)
		}
	}
}

// testServersThatRestart stops and starts one server after the other while entries are put and read.
func testServersThatRestart(t *testing.T, n *testserver.NATS) {
	q := open(t, clusterOptions(n, 3))
	stop := make(chan struct{})
	var acknowledged sync.Map
	var putting sync.WaitGroup
	for lane := range 4 {
		putting.Go(func() {
			for i := lane; ; i += 4 {
				select {
				case <-stop:
					return
				default:
				}
				if err := q.Put(t.Context(), entry(i)); err != nil {
					t.Errorf("entry %d: %v", i, err)
					return
				}
				acknowledged.Store(fmt.Sprint(i), true)
			}
		})
	}
	for i := range 3 {
		n.Stop(i)
		progress(t, q)
		n.Start(i)
		progress(t, q)
		settled(t, n, q)
	}
	close(stop)
	putting.Wait()
	found := make(map[string]int)
	r := reader(t, q, "store")
	for waiting := int(q.State().Readers["store"].Entries); waiting > 0; {
		entries, err := r.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(0)
		for _, e := range entries {
			if e.Number <= last {
				t.Fatalf("entry %d comes after %d", e.Number, last)
			}
			found[e.ID]++
			waiting--
			last = e.Number
		}
	}
	number := 0
	acknowledged.Range(func(id, _ any) bool {
		number++
		if found[id.(string)] != 1 {
			t.Errorf("entry %s was acknowledged and is there %d times", id, found[id.(string)])
		}
		return true
	})
	if len(found) != number {
		t.Errorf("%d were acknowledged, %d are there", number, len(found))
	}
	t.Logf("%d entries", number)
}

// progress returns when some more entries were put.
func progress(t *testing.T, q *queue.Queue) {
	t.Helper()
	before := q.State().Readers["store"].Entries
	until(t, q, "progress", func(s queue.State) bool { return s.Readers["store"].Entries > before+50 })
}

// settled returns when all servers have everything.
func settled(t *testing.T, n *testserver.NATS, q *queue.Queue) {
	t.Helper()
	until(t, q, "in sync", func(queue.State) bool { return n.InSync() })
}

func testNoQuorum(t *testing.T, n *testserver.NATS) {
	o := clusterOptions(n, 3)
	o.Patience = 3 * time.Second
	q := open(t, o)
	put(t, q, 0, 3)
	n.Stop(1)
	n.Stop(2)
	started := time.Now()
	err := q.Put(t.Context(), entry(90))
	if !errors.Is(err, queue.ErrUnavailable) {
		t.Fatalf("with one server of three: %v", err)
	}
	if took := time.Since(started); took < o.Patience {
		t.Fatalf("gave up after %v", took)
	}
	until(t, q, "not available", func(s queue.State) bool { return !s.Available && s.Reason != "" })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := q.Put(ctx, entry(91)); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, queue.ErrUnavailable) {
		t.Fatal(err)
	}
	n.Start(1)
	n.Start(2)
	until(t, q, "available again", func(s queue.State) bool { return s.Available })
	for n := 3; n < 6; n++ {
		for q.Put(t.Context(), entry(n)) != nil {
			if t.Context().Err() != nil {
				t.Fatal("never")
			}
		}
	}
	acknowledged := map[string]bool{"0": true, "1": true, "2": true, "3": true, "4": true, "5": true}
	r := reader(t, q, "alert")
	for len(acknowledged) > 0 {
		entries, err := r.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			delete(acknowledged, e.ID)
		}
	}
}

func TestClusterWithCredentials(t *testing.T) {
	url, ca, credentials := testserver.StartNATSWithCredentials(t)
	o := queue.Options{
		Readers: []string{"store"},
		Cluster: &queue.Cluster{URLs: []string{url}, Credentials: credentials, CA: ca, Replicas: 1},
	}
	q := open(t, o)
	put(t, q, 0, 2)
	take(t, reader(t, q, "store"), 2)
	q.Close()
	o.Cluster.Credentials = ""
	if _, err := queue.Open(t.Context(), o); !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "Authorization") {
		t.Fatalf("without credentials: %v", err)
	}
}

func TestAClusterThatCanNotBeUsedSaysWhy(t *testing.T) {
	n := testserver.StartNATS(t, 1)
	right := *clusterOptions(n, 1).Cluster
	for name, test := range map[string]struct {
		change func(c *queue.Cluster)
		want   string
	}{
		"a wrong password": {func(c *queue.Cluster) { c.Password = "hunter2" }, "Authorization"},
		"an authority that did not sign": {func(c *queue.Cluster) {
			c.CA = ""
		}, "certificate"},
		"a CA file that is missing": {func(c *queue.Cluster) { c.CA = "/nonexistent/ca.pem" }, "/nonexistent/ca.pem"},
		"too many replicas":         {func(c *queue.Cluster) { c.Replicas = 3 }, "replicas"},
		"nobody there":              {func(c *queue.Cluster) { c.URLs = []string{"tls://127.0.0.1:1"} }, "refused"},
	} {
		c := right
		test.change(&c)
		_, err := queue.Open(t.Context(), queue.Options{Readers: []string{"store"}, Cluster: &c})
		if !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(fmt.Sprint(err), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(fmt.Sprint(err), c.Password) {
			t.Errorf("%s: the password is in %v", name, err)
		}
	}
	c := right
	c.URLs = n.URLs("nats") // with a CA it is TLS all the same
	put(t, open(t, queue.Options{Readers: []string{"store"}, Cluster: &c}), 0, 1)
}

// A server, or somebody between, that says it speaks no TLS must not get the password.
func TestAPasswordIsNotSentInClear(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan string, 8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "INFO {\"server_id\":\"x\",\"version\":\"2.15.0\",\"max_payload\":1048576,\"headers\":true,\"auth_required\":true}\r\n")
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			text := make([]byte, 4096)
			n, _ := c.Read(text)
			received <- string(text[:n])
			c.Close()
		}
	}()
	for _, c := range []queue.Cluster{
		{URLs: []string{"tls://" + l.Addr().String()}},
		{URLs: []string{"nats://" + l.Addr().String()}, CA: testserver.StartNATS(t, 1).CA},
	} {
		c.Username, c.Password = "muster", "hunter2"
		_, err := queue.Open(t.Context(), queue.Options{Readers: []string{"store"}, Cluster: &c})
		if !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("%v: %v", c.URLs, err)
		}
		if text := <-received; strings.Contains(text, "hunter2") || strings.Contains(text, "CONNECT") {
			t.Errorf("%v: sent %q", c.URLs, text)
		}
	}
	l.Close()
	<-done
}

func TestOpeningAClusterEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never says anything
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = queue.Open(ctx, queue.Options{Readers: []string{"store"}, Cluster: &queue.Cluster{URLs: []string{"nats://" + l.Addr().String()}}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}
