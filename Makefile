# What needs more than Go is here; everything else is plain `go build` and `go test`.

.PHONY: test-kafka

# The tests of the Kafka bus against a real Apache Kafka, which Maven fetches
# once into the user's cache folder (43 MB). They start brokers on free ports of
# this machine, and end them. Needs Java 17 or later, and Maven the first time.
test-kafka:
	TIMBRIDGE_TEST_KAFKA=1 go test ./bus/kafka -count=1 -timeout 20m
