package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/bus/kafka"
	"github.com/timbridge/timbridge/bus/nats"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/journal"
)

// Exit codes, the same for every subcommand.
const (
	codeDone    = 0
	codeFailed  = 1
	codeInput   = 2 // what was asked for is wrong: flags, files, configuration
	codeMissing = 3 // the environment lacks something: a port, a server, a whole journal
)

// inputError is a mistake of the caller's.
type inputError struct {
	err  error
	hint string
}

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

func badInput(hint, format string, args ...any) error {
	return &inputError{err: fmt.Errorf(format, args...), hint: hint}
}

// missingError is something that the environment lacks.
type missingError struct {
	err  error
	hint string
}

func (e *missingError) Error() string { return e.err.Error() }
func (e *missingError) Unwrap() error { return e.err }

// reportedError has been told already; only the exit code is left.
type reportedError struct{ code int }

func (e *reportedError) Error() string { return "failed, as printed" }

// judge gives an error its exit code and, where there is one, the next step.
func judge(err error) (code int, hint string) {
	var (
		input    *inputError
		missing  *missingError
		mistakes *config.Error
		port     *bridge.PortError
		natsPort *nats.PortError
		version  *nats.VersionError
		auth     *nats.AuthError
		away     *nats.UnreachableError
		streams  *nats.ConfigError
		topics   *kafka.ConfigError
		corrupt  *journal.CorruptError
		lost     *bridge.StateLostError
		secret   *bridge.SecretError
	)
	switch {
	case errors.As(err, &input):
		return codeInput, input.hint
	case errors.As(err, &missing):
		return codeMissing, missing.hint
	case errors.As(err, &mistakes):
		return codeInput, "\"timbridge config init all.hcl\" writes a file with every setting and what it does"
	case errors.Is(err, kafka.ErrConfiguration):
		return codeInput, "mend the bus block of the configuration, or the files that it names"
	case errors.As(err, &port):
		return codeMissing, fmt.Sprintf("end what listens there, or set %s to another address", port.Setting)
	case errors.As(err, &natsPort):
		return codeMissing, "end what listens there, or set bus.listen to another address"
	case errors.As(err, &version):
		return codeMissing, "upgrade the NATS server, or leave bus.url out to have one run inside the process"
	case errors.As(err, &auth):
		return codeMissing, "check the bus's token, user, nkey or credentials in the configuration"
	case errors.As(err, &away):
		return codeMissing, "is the bridge (\"timbridge run\") or the NATS server running, and is bus.url right?"
	case errors.As(err, &streams):
		return codeMissing, "change the configuration or the stream so that they agree, or set bus.manage = \"update\""
	case errors.As(err, &topics) && topics.Missing:
		return codeMissing, "create it, or set bus.manage = \"create\" to have that done"
	case errors.As(err, &topics):
		return codeMissing, "change the configuration or the topic so that they agree, or set bus.manage = \"update\""
	case kafkaHint(err) != "":
		return codeMissing, kafkaHint(err)
	case errors.Is(err, journal.ErrLocked):
		return codeMissing, "another process has this data directory open; end it, or use another data_dir"
	case errors.As(err, &corrupt):
		return codeMissing, "run \"timbridge journal inspect\" to see what is damaged, and \"timbridge journal repair\" to go on with the rest"
	case errors.As(err, &lost):
		return codeMissing, "run \"timbridge journal repair\""
	case errors.As(err, &secret):
		return codeMissing, "remove " + secret.Path + ", or put the secret back into it"
	case storageHint(err) != "":
		return codeMissing, storageHint(err)
	}
	return codeFailed, ""
}

// storageHint is the next step where the operating system does not let us use
// what is kept on disk; empty for other errors. What a caller names on the
// command line is wrong input instead.
func storageHint(err error) string {
	var (
		path *fs.PathError
		link *os.LinkError
	)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, journal.ErrFull):
		return "make room on the volume, or set journal.reserve and journal.high_water lower"
	case !errors.As(err, &path) && !errors.As(err, &link):
		return ""
	case errors.Is(err, fs.ErrPermission):
		return "give the user that this runs as the right to it (\"timbridge doctor\" looks at all files), or set another data_dir"
	}
	return "set data_dir to a folder that can be made and written"
}

// kafkaHint is the next step where Kafka cannot be reached, or does not let us do
// what we need; empty for other errors. What is wrong, and what to ask of the
// brokers, is in the errors themselves: this is where our side of it is written.
func kafkaHint(err error) string {
	var (
		version     *kafka.VersionError
		protocol    *kafka.ProtocolError
		certificate *kafka.CertificateError
		auth        *kafka.AuthError
		access      *kafka.AccessError
		away        *kafka.UnreachableError
	)
	switch {
	case errors.As(err, &version):
		return "upgrade the brokers, or set bus.brokers to newer ones"
	case errors.As(err, &protocol):
		return "check bus.brokers, bus.tls and bus.sasl in the configuration"
	case errors.As(err, &certificate):
		return "check bus.tls in the configuration: ca and server_name"
	case errors.As(err, &auth):
		return "check bus.sasl in the configuration, or bus.tls.cert and key"
	case errors.As(err, &access):
		return "have the right given, or set bus.sasl to a user who has it"
	case errors.As(err, &away):
		return "is Kafka running, and are bus.brokers and bus.tls right?"
	}
	return ""
}

// complain prints an error and returns its exit code.
func (e *env) complain(asJSON bool, err error) int {
	w := e.errs
	var reported *reportedError
	if errors.As(err, &reported) {
		return reported.code
	}
	code, hint := judge(err)
	hint = e.withConfig(hint)
	if asJSON {
		body := struct {
			Error    string           `json:"error"`
			Next     string           `json:"next,omitempty"`
			Code     int              `json:"exit_code"`
			Mistakes []config.Mistake `json:"mistakes,omitempty"`
		}{Error: err.Error(), Next: hint, Code: code}
		var mistakes *config.Error
		if errors.As(err, &mistakes) {
			body.Mistakes = mistakes.Mistakes()
		}
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		if enc.Encode(body) == nil {
			return code
		}
	}
	fmt.Fprintf(w, "timbridge: %s\n", strings.TrimPrefix(err.Error(), "Error: "))
	if hint != "" {
		fmt.Fprintf(w, "next step: %s\n", hint)
	}
	return code
}

// noSecret turns the absence of a file that the first run makes into advice.
func noSecret(err error) error {
	var path *fs.PathError
	if errors.Is(err, fs.ErrNotExist) && errors.As(err, &path) && path.Op == "open" && !errors.Is(err, kafka.ErrConfiguration) {
		return &missingError{err: err, hint: "run \"timbridge run\" once: it makes the secrets; or start this from the same folder, with the same --config"}
	}
	return err
}
