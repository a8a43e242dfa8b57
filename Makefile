# What needs more than Go is here; everything else is plain `go build` and `go test`.

.PHONY: kafka test-kafka test-kafka-long

# Fetches an Apache Kafka with Maven into the user's cache folder, once (43 MB).
# Where Java 17 or later, Maven or its repository is missing, it says so, with
# what to do about it.
kafka:
	go run ./cmd/killtest -bus kafka -fetch

# What is slow: a broker that is killed, restarted or loses data in case after
# case. The kill test does much of that on the whole program, in any case.
long = TestApacheConformance/(live|loss|fault)|TestApacheConformance/commands/the_(tail|broker)

# The tests that take a real Apache Kafka. They start brokers on free ports of
# this machine, and end them. A few minutes.
test-kafka: kafka
	TIMBRIDGE_TEST_KAFKA=1 go test ./bus/kafka/... -count=1 -timeout 15m -skip '^TestConformance$$|$(long)'
	TIMBRIDGE_TEST_KAFKA=1 go test ./cmd/timbridge -run Kafka -count=1 -timeout 10m

# The rest of them.
test-kafka-long: kafka
	TIMBRIDGE_TEST_KAFKA=1 go test ./bus/kafka -run TestApacheConformance -count=1 -timeout 20m
