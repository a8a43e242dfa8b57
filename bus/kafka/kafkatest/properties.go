package kafkatest

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed log4j2.xml
var logging []byte

// clusterID is that of every cluster: none of them ever meets another one.
const clusterID = "MkU3OEVBNTcwNTJENDM2Qg"

// properties are the broker's own server.properties. What is looked at again
// and again is looked at often, what is kept in memory is small, and a broker
// that was killed is let in again soon.
func (b *Broker) properties(voters []string, o Options) string {
	listeners := []string{"PLAINTEXT://" + b.Addr()}
	protocols := []string{"PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT"}
	for _, l := range o.Listeners {
		listeners = append(listeners, l.Name+"://"+l.Addr)
		protocols = append(protocols, l.Name+":"+l.Protocol)
	}
	n := len(voters)
	return fmt.Sprintf(`process.roles=broker,controller
node.id=%[1]d
listeners=%[2]s,CONTROLLER://%[3]s
advertised.listeners=%[2]s
listener.security.protocol.map=%[4]s
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=%[5]s
log.dirs=%[6]s
default.replication.factor=%[7]d
offsets.topic.replication.factor=%[7]d
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=%[7]d
transaction.state.log.min.isr=%[8]d
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=%[7]d
share.coordinator.state.topic.min.isr=%[8]d
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
%[9]s
`, b.id, strings.Join(listeners, ","), b.controller, strings.Join(protocols, ","), strings.Join(voters, ","), b.Data(),
		n, max(1, n-1), o.Properties)
}

// options are how Java is started.
func (b *Broker) options(jars string) string {
	return strings.Join([]string{
		"-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true",
		quote("-Dlog4j2.configurationFile=" + b.file("log4j2.xml")), "-cp", quote(filepath.Join(jars, "*")),
	}, "\n") + "\n"
}

// quote writes a word of an argument file.
func quote(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

func (b *Broker) configure(jars string, voters []string, o Options) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return fmt.Errorf("make the broker's folder: %w", err)
	}
	for name, text := range map[string]string{
		"server.properties": b.properties(voters, o), "java.options": b.options(jars), "log4j2.xml": string(logging),
	} {
		if err := os.WriteFile(b.file(name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("configure the broker: %w", err)
		}
	}
	return nil
}
