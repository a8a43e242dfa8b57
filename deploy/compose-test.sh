#!/usr/bin/env bash
# Does the tour of the README inside the containers of docker-compose.yml, on NATS
# and on Kafka: a command and its outcome, chat, events, a group, a failure and its
# dead letter, doctor; then kills the bridge and the bus under way with SIGKILL,
# and looks that nothing was lost and nothing came twice; then has it drain and end.
# Where the images of Prometheus and Grafana are there or can be pulled, Prometheus
# is asked every query of the dashboard, and for every alert; where not, it says so.
#
#   deploy/compose-test.sh              both
#   deploy/compose-test.sh nats         one of them: nats, kafka (with Prometheus: nats)
#   deploy/compose-test.sh config       only whether docker-compose.yml is valid
#
# It needs a docker that answers, with compose. It runs as a project of its own,
# on free ports, beside one that may be running, and removes what it made, but
# for the images. What it did not look at it also writes into the file that
# COMPOSE_TEST_SKIPPED names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export COMPOSE_PROJECT_NAME=timbridge-test-$$
export TIMBRIDGE_VERSION=test-$$ # an image of its own
export SANDBOX_PORT=0 NATS_PORT=0 TIMBRIDGE_PORT=0 TIMBRIDGE_KAFKA_PORT=0 PROMETHEUS_PORT=0 GRAFANA_PORT=0
unset TIMBRIDGE_CONFIG TIMBRIDGE_KAFKA_CONFIG TIMBRIDGE_LOG_LEVEL TIMBRIDGE_LOG_FORMAT COMPOSE_FILE COMPOSE_PROFILES

work=$(mktemp -d)
answer=$work/answer
bridge= account= bus= sender=

compose() { docker compose --progress quiet --profile kafka --profile monitoring "$@"; }

finish() {
  local code=$?
  [ -z "$sender" ] || kill "$sender" 2> /dev/null || true
  if [ $code -ne 0 ]; then
    printf '\nFAILED; what the containers said last:\n' >&2
    compose ps --all >&2 || true
    compose logs --no-color --tail 60 >&2 || true
  fi
  compose down --volumes --remove-orphans --timeout 10 > /dev/null 2>&1 || true
  docker image rm "timbridge:$TIMBRIDGE_VERSION" > /dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() { printf '%s\n' "$*" >&2; exit 1; }

# inside runs the program in the bridge's container. (To compose exec any
# container will do that was made for the service, also one that elsewhere made.)
inside() { docker exec -i "$(compose ps --quiet "$bridge")" timbridge "$@"; }

# timbridge runs it there with nothing to read, and keeps what it prints.
timbridge() { inside "$@" < /dev/null > "$answer" 2>&1; }

# elsewhere runs it in a container of its own, which needs no bridge.
elsewhere() { compose run --rm --no-deps -T "$bridge" "$@" < /dev/null; }

# says looks for a line in what was printed.
says() { grep -Eq -- "$1" "$answer" || fail "expected /$1/, not:" "$(cat "$answer")"; }

# shows runs the program until that many lines that match were printed, for what
# comes over the bus by itself: shows 1 /pattern/ tail …
shows() {
  local many=$1 pattern=$2 got=0
  shift 2
  for _ in $(seq 90); do
    if timbridge "$@"; then
      got=$(grep -Ec -- "$pattern" "$answer" || true)
      [ "$got" -lt "$many" ] || return 0
    fi
    sleep 1
  done
  fail "expected $many times /$pattern/, not $got:" "$(cat "$answer")"
}

step() { printf '   %s\n' "$*"; }

# skip says that something was not looked at.
skip() {
  printf '!! SKIPPED: %s\n' "$*" >&2
  [ -z "${COMPOSE_TEST_SKIPPED:-}" ] || echo "$*" >> "$COMPOSE_TEST_SKIPPED"
}

# had says whether a service's image is there or can be pulled.
had() {
  local image
  image=$(compose config --format json "$1" | sed -n 's/^ *"image": "\([^"]*\)".*/\1/p' | head -1)
  docker image inspect "$image" > /dev/null 2>&1 && return
  docker pull --quiet "$image" > /dev/null 2>&1 && return
  skip "$1 was not tried: the image $image is not there and cannot be pulled"
  return 1
}

tour() {
  step "a command, and what came of it"
  timbridge send --to bob --text "hi bob" --wait || fail "$(cat "$answer")"
  says "^succeeded  message.send  message c2c/bob/$account/1/"

  step "bob reads it, and answers"
  echo "hello, who is this?" | inside chat --as bob --to "$account" > "$answer" 2>&1 || fail "$(cat "$answer")"
  says " $account: hi bob\$"
  says " bob: hello, who is this\\?\$"

  step "a group"
  timbridge group create --name team --type public --member bob --wait || fail "$(cat "$answer")"
  says '^succeeded  group.create  group tb-'
  local group
  group=$(sed -n 's/^succeeded  group.create  group //p' "$answer")
  timbridge send --group "$group" --text "hello team" --wait || fail "$(cat "$answer")"
  timbridge chat --as bob --group "$group" || fail "$(cat "$answer")"
  says " $account: hello team\$"

  step "events, each as its schema says"
  shows 1 "message.posted +group/$group  $account: hello team\$" tail --from start --end
  says "account.signed_in +account/$account\$"
  says "message.posted +c2c/bob/$account  bob: hello, who is this\\?\$"
  says 'group.created .*made "team"'
  timbridge tail --from start --end --json || fail "$(cat "$answer")"
  inside schema validate --events < "$answer" > "$answer.valid" 2>&1 || fail "$(cat "$answer.valid")"

  step "what fails has an outcome and a dead letter"
  if timbridge send --group nosuch --text hi --wait; then fail "a message into no group was sent"; fi
  says '^failed  message.send  im_error 10010 ERR_SVR_GROUP_NOT_FOUND'
  timbridge deadletter list || fail "$(cat "$answer")"
  says 'im_error 10010'

  step "doctor"
  timbridge doctor || fail "$(cat "$answer")"
  says '^pass  bridge +runs and is ready$'
  says '^pass  bus '
  says '^pass  durability '
  says '^pass  data directory '
}

# survives kills something while commands come in, starts it again, and counts.
survives() {
  local victim=$1 count=12 n got
  step "$victim killed while $count commands come in"
  for n in $(seq "$count"); do
    # On a bus that was killed one is not taken: the same id again is carried out once.
    for _ in $(seq 60); do
      if elsewhere send --to carol --text "$victim-$n" --id "$victim-$n" > "$work/sent" 2>&1; then continue 2; fi
      sleep 1
    done
    fail "the bus took no command for a minute: $(cat "$work/sent")"
  done &
  sender=$!
  sleep 2
  # Not by compose, which means the containers of the commands too.
  docker kill --signal KILL "$(compose ps --quiet "$victim")" > /dev/null
  sleep 2
  # Not with --wait, which gives up on a bridge that is not ready now.
  compose up --detach --no-build "$bridge" > /dev/null
  for _ in $(seq 180); do
    if timbridge health; then break; fi
    sleep 1
  done
  timbridge health || fail "it is not ready again: $(cat "$answer")"
  wait "$sender"
  sender=

  shows "$count" "\"id\":\"$victim-[0-9]*\"" tail --stream outcomes --from start --end --json
  [ "$(grep -c "\"id\":\"$victim-[0-9]*\"" "$answer")" = "$count" ] || fail "there are more outcomes than commands:" "$(cat "$answer")"
  shows "$count" " $account: $victim-[0-9]*\$" tail --type message.posted --from start --end
  for n in $(seq "$count"); do
    got=$(grep -c " $account: $victim-$n\$" "$answer" || true)
    [ "$got" -eq 1 ] || fail "the message $victim-$n is on the bus $got times"
  done
}

# monitored has Prometheus scrape what runs, and asks it everything that the
# dashboard and the alerts ask.
monitored() {
  had prometheus || return 0
  step "Prometheus: every query of the dashboard, every alert"
  compose up --detach --no-build --wait prometheus > /dev/null
  local id query want got asked=0 empty=0
  id=$(compose ps --quiet prometheus)
  for _ in $(seq 90); do
    docker exec "$id" promtool query instant http://127.0.0.1:9090 'rate(timbridge_start_time_seconds[1m]) * 0 + timbridge_ready' > "$answer" 2>&1 || true
    grep -q '=> 1 @' "$answer" && break
    sleep 1
  done
  says '=> 1 @'
  while IFS= read -r query; do
    asked=$((asked + 1))
    docker exec "$id" promtool query instant http://127.0.0.1:9090 "$query" > "$answer" 2>&1 < /dev/null || fail "$query:" "$(cat "$answer")"
    ! grep -q '[^[:space:]]' "$answer" || continue
    empty=$((empty + 1))
    case $query in # what has a code is there once there is one to count
    *_rejected_total* | *_failed_total*) ;;
    *) fail "nothing comes of the dashboard's query $query" ;;
    esac
  done < <(sed -n 's/^ *"expr": "\(.*\)",\{0,1\}$/\1/p' deploy/grafana/dashboards/timbridge.json |
    sed 's/\\"/"/g; s/\$__rate_interval/1m/g; s/\$instance/.*/g' | grep -v '^changes(')
  want=$(grep -c '^ *- alert:' deploy/prometheus/alerts.yml)
  for _ in $(seq 60); do # until each was evaluated
    docker exec "$id" wget -q -O - 'http://127.0.0.1:9090/api/v1/rules?type=alert' > "$answer"
    got=$(grep -o '"health":"ok"' "$answer" | grep -c . || true)
    [ "$got" -ne "$want" ] || break
    sleep 1
  done
  [ "$got" -eq "$want" ] || fail "of $want alerts $got are well:" "$(cat "$answer")"
  step "$asked queries were answered, $empty of them with nothing yet, and $want alerts are evaluated"

  had grafana || return 0
  step "Grafana has the dashboard"
  compose up --detach --no-build --wait grafana > /dev/null
  docker exec "$(compose ps --quiet grafana)" wget -q -O - http://127.0.0.1:3000/api/dashboards/uid/timbridge > "$answer"
  says '"title": ?"timbridge"'
}

drains() {
  step "it drains and ends"
  local id got
  id=$(compose ps --quiet "$bridge")
  compose stop "$bridge" > /dev/null
  docker logs "$id" > "$answer" 2>&1
  says '^ended; everything is kept in data'
  got=$(docker inspect --format '{{.State.ExitCode}}' "$id")
  [ "$got" = 0 ] || fail "it ended with exit code $got"
}

# bounded looks that the bridge may do no more than it needs.
bounded() {
  local id got
  id=$(compose ps --quiet "$bridge")
  got=$(docker inspect --format '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}} {{end}}{{end}}' "$id")
  [ "$got" = "65532:65532 true [ALL] 127.0.0.1 " ] || fail "user, read-only, capabilities, published at: $got"
}

try() {
  bus=$1 bridge=$2 account=$3
  printf -- '-- %s\n' "$bus"
  step "up"
  compose up --detach --no-build --wait "$bridge" > /dev/null
  bounded
  tour
  [ "$bus" != nats ] || monitored
  survives "$bridge"
  survives "$bus"
  drains
}

what=${1:-all}
case $what in
all | config | nats | kafka) ;;
*) sed -n '2,/^set/p' "$0" | sed -n 's/^# \{0,1\}//p'; exit 2 ;;
esac
docker compose version > /dev/null || fail "this needs a docker that answers, with compose"
compose config --quiet
echo "docker-compose.yml is valid"
[ "$what" != config ] || exit 0
compose build timbridge > /dev/null
docker image inspect --format 'the image has {{.Size}} bytes' "timbridge:$TIMBRIDGE_VERSION"
case $what in all | nats) try nats timbridge bridge ;; esac
case $what in all | kafka) try kafka timbridge-kafka bridge-kafka ;; esac
echo "all is well"
