package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/bus/bustest"
)

// The tests named TestApache run against a real Apache Kafka. `make test-kafka`
// runs them; `go test` alone leaves them out, and needs neither Java nor Maven.
const (
	apacheEnv     = "TIMBRIDGE_TEST_KAFKA"
	apacheVersion = "4.4.0"
)

// TestApacheConformance runs the suite against a real broker. Starting one takes
// seconds, so that its cases share one, and each begins with no topics.
func TestApacheConformance(t *testing.T) {
	p := newApache(t, nil)
	bustest.Run(t, harness(func(t *testing.T) broker {
		p.mu.Lock()
		ended := p.cmd == nil
		p.mu.Unlock()
		if ended { // by a case that failed half-way
			p.run(t)
		}
		for _, topic := range DefaultTopics() {
			remove(t, p.addr(), topic)
		}
		return p
	}, false))
}

// apache is a real broker as a process of its own.
type apache struct {
	dir      string
	port     int
	jars     string
	security *security

	mu  sync.Mutex
	cmd *exec.Cmd
	log *os.File
}

// jars fetches what a broker needs, once, from Maven Central.
func jars(t testing.TB) string {
	t.Helper()
	if os.Getenv(apacheEnv) == "" {
		t.Skipf("a real broker is only started with %s=1: make test-kafka", apacheEnv)
	}
	if _, err := exec.LookPath("java"); err != nil {
		t.Fatal("no java on the path: install a runtime of version 17 or later (apt install default-jre-headless, brew install openjdk)")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "timbridge", "kafka-"+apacheVersion)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		t.Fatal("no mvn on the path, which fetches the broker: install Maven (apt install maven, brew install maven)")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "fetching-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(fresh) }() // gone where it became the cache
	t.Logf("fetching Apache Kafka %s into %s", apacheVersion, dir)
	cmd := exec.CommandContext(t.Context(), mvn, "-q", "-B", "-f", "testdata/broker/pom.xml", "dependency:copy-dependencies",
		"-DoutputDirectory="+fresh, "-DincludeScope=runtime")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("fetch Apache Kafka with Maven: %v\n%s", err, out)
	}
	if err := os.Rename(fresh, dir); err != nil && !errors.Is(err, os.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		t.Fatal(err)
	}
	return dir
}

// newApache starts a broker, with listeners that ask for more where sec is given.
func newApache(t testing.TB, sec *security) *apache {
	t.Helper()
	p := &apache{dir: filepath.Join(t.TempDir(), "kafka"), jars: jars(t), port: freePort(t), security: sec}
	config, err := filepath.Abs("testdata/broker/log4j2.xml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	listeners := []string{"PLAINTEXT://" + p.addr()}
	protocols := []string{"PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT"}
	more, format := "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nallow.everyone.if.no.acl.found=true\n", []string(nil)
	if sec != nil {
		l, pr, props := sec.properties(t)
		listeners, protocols, more, format = append(listeners, l...), append(protocols, pr...), props, sec.format()
	}
	controller := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	properties := fmt.Sprintf(`process.roles=broker,controller
node.id=1
listeners=%[1]s,CONTROLLER://%[2]s
advertised.listeners=%[1]s
listener.security.protocol.map=%[3]s
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=%[2]s
log.dirs=%[4]s/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=4194304
log.index.size.max.bytes=131072
log.retention.check.interval.ms=200
log.initial.task.delay.ms=200
producer.id.expiration.check.interval.ms=200
%[5]s`, strings.Join(listeners, ","), controller, strings.Join(protocols, ","), p.dir, more)
	if err := os.WriteFile(filepath.Join(p.dir, "server.properties"), []byte(properties), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "java.options"), []byte(strings.Join([]string{
		"-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile=" + config, "-cp", p.jars + "/*",
	}, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"@" + filepath.Join(p.dir, "java.options"), "kafka.tools.StorageTool", "format", "--standalone",
		"-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", filepath.Join(p.dir, "server.properties")}, format...)
	if out, err := exec.CommandContext(t.Context(), "java", args...).CombinedOutput(); err != nil {
		t.Fatalf("format the broker's folder: %v\n%s", err, out)
	}
	p.run(t)
	t.Cleanup(func() {
		p.kill(t)
		if t.Failed() {
			if out, err := os.ReadFile(filepath.Join(filepath.Dir(p.dir), "broker.log")); err == nil {
				t.Logf("the broker's log ends with:\n%s", out[max(0, len(out)-4000):])
			}
		}
	})
	return p
}

func (p *apache) addr() string   { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }
func (p *apache) folder() string { return p.dir }

// run starts the broker and waits until it is one of its cluster.
func (p *apache) run(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(filepath.Dir(p.dir), "broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("java", "@"+filepath.Join(p.dir, "java.options"), "kafka.Kafka", filepath.Join(p.dir, "server.properties"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = diesWithUs()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.cmd, p.log = cmd, log
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for {
		a := admin(t, p.addr())
		res, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, a)
		a.Close()
		if err == nil && len(res.Brokers) > 0 {
			return
		}
		if !sleep(ctx, 100*time.Millisecond) {
			t.Fatalf("the broker is not ready: %v", err)
		}
	}
}

func (p *apache) kill(t testing.TB) { p.end(t, syscall.SIGKILL) }
func (p *apache) stop(t testing.TB) { p.end(t, syscall.SIGTERM) }

func (p *apache) end(t testing.TB, how syscall.Signal) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Signal(how); err != nil {
		t.Errorf("end the broker: %v", err)
	}
	_ = p.cmd.Wait() // its code says how it was ended
	_ = p.log.Close()
	p.cmd = nil
}

func (p *apache) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
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
