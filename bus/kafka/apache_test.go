package kafka

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/bus/bustest"
	"github.com/timbridge/timbridge/bus/kafka/kafkatest"
)

// The tests named TestApache run against a real Apache Kafka. `make test-kafka`
// runs them; `go test` alone leaves them out, and needs neither Java nor Maven.
const apacheEnv = "TIMBRIDGE_TEST_KAFKA"

// TestApacheConformance runs the suite against a real broker. Starting one takes
// seconds, so that its cases share one, and each begins with no topics.
func TestApacheConformance(t *testing.T) {
	p := newApache(t, nil)
	bustest.Run(t, harness(func(t *testing.T) broker {
		p.run(t) // where a case that failed half-way has ended it
		for _, topic := range DefaultTopics() {
			remove(t, p.addr(), topic)
		}
		return p
	}, false))
}

// apache is a real broker as a process of its own.
type apache struct{ *kafkatest.Broker }

// needApache skips what needs a real broker where none is asked for.
func needApache(t testing.TB) {
	t.Helper()
	if os.Getenv(apacheEnv) == "" {
		t.Skipf("a real broker is only started with %s=1: make test-kafka", apacheEnv)
	}
}

// newApache starts a broker, with listeners that ask for more where sec is given.
func newApache(t testing.TB, sec *security) *apache {
	t.Helper()
	needApache(t)
	o := kafkatest.Options{
		Dir: filepath.Join(t.TempDir(), "kafka"), Progress: func(line string) { t.Log(line) },
		Properties: "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nallow.everyone.if.no.acl.found=true\n",
	}
	if sec != nil {
		o.Listeners, o.Properties, o.Format = sec.listeners(), sec.properties(), sec.format()
	}
	b, err := kafkatest.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	p := &apache{b}
	p.run(t)
	t.Cleanup(func() {
		p.kill(t)
		if t.Failed() {
			t.Logf("the broker's log ends with:\n%s", p.LogTail(4000))
		}
	})
	return p
}

func (p *apache) addr() string   { return p.Addr() }
func (p *apache) folder() string { return p.Data() }

// run starts the broker and waits until it is one of its cluster.
func (p *apache) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

func (p *apache) kill(t testing.TB) {
	t.Helper()
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
}

func (p *apache) stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// refuse takes the right to write away. (Fewer replicas in sync than a topic
// needs are not to be had of one broker: Kafka 4 bounds that by the replicas
// there are.)
func (p *apache) refuse(t testing.TB, topic string) func() {
	t.Helper()
	a := admin(t, p.addr())
	rules := func() int {
		req := kmsg.NewPtrDescribeACLsRequest()
		req.ResourceType, req.ResourceName, req.ResourcePatternType = kmsg.ACLResourceTypeTopic, &topic, kmsg.ACLResourcePatternTypeLiteral
		req.Operation, req.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
		res, err := req.RequestWith(context.Background(), a)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range res.Resources {
			n += len(r.ACLs)
		}
		return n
	}
	wait := func(n int) {
		for deadline := time.Now().Add(10 * time.Second); rules() != n; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the broker does not go by its rules")
			}
		}
	}
	req := kmsg.NewPtrCreateACLsRequest()
	for op, permission := range map[kmsg.ACLOperation]kmsg.ACLPermissionType{
		kmsg.ACLOperationAll: kmsg.ACLPermissionTypeAllow, kmsg.ACLOperationWrite: kmsg.ACLPermissionTypeDeny,
	} {
		c := kmsg.NewCreateACLsRequestCreation()
		c.ResourceType, c.ResourceName, c.ResourcePatternType = kmsg.ACLResourceTypeTopic, topic, kmsg.ACLResourcePatternTypeLiteral
		c.Principal, c.Host, c.Operation, c.PermissionType = "User:*", "*", op, permission
		req.Creations = append(req.Creations, c)
	}
	res, err := req.RequestWith(t.Context(), a)
	if err == nil {
		err = kerr.ErrorForCode(res.Results[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	wait(len(req.Creations))
	return func() {
		req := kmsg.NewPtrDeleteACLsRequest()
		f := kmsg.NewDeleteACLsRequestFilter()
		f.ResourceType, f.ResourceName, f.ResourcePatternType = kmsg.ACLResourceTypeTopic, &topic, kmsg.ACLResourcePatternTypeLiteral
		f.Operation, f.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
		req.Filters = append(req.Filters, f)
		if _, err := req.RequestWith(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		wait(0)
	}
}

func (p *apache) retain(testing.TB) {} // it does so all the time

// forget has the broker forget every producer.
func (p *apache) forget(t testing.TB) {
	t.Helper()
	const expiry = "producer.id.expiration.ms"
	set := func(op kmsg.IncrementalAlterConfigOp, value *string) {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType = kmsg.ConfigResourceTypeBroker // of no name: all of them
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op, c.Value = expiry, op, value
		r.Configs = append(r.Configs, c)
		req.Resources = append(req.Resources, r)
		res, err := req.RequestWith(context.Background(), admin(t, p.addr()))
		if err == nil {
			err = kerr.ErrorForCode(res.Resources[0].ErrorCode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	set(kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr("50"))
	time.Sleep(700 * time.Millisecond) // the broker looks every 200 ms
	set(kmsg.IncrementalAlterConfigOpDelete, nil)
}
