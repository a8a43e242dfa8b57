// Package kafkatest runs a real Apache Kafka, as one process or a cluster of
// several, for tests and for programs that try things with one. Its brokers
// listen on free ports of the loopback interface, can be killed, frozen and
// started again over the same data, and end with the process that runs them
// (on Linux however that ends).
//
// It needs a Java runtime, and Maven the first time: see [Fetch].
package kafkatest
