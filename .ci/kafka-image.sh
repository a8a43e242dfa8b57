#!/usr/bin/env bash
# A stand-in for the image apache/kafka, under its tag, for an engine that can
# pull none: a Java runtime of this machine's JDK, the jars of Apache Kafka, and a
# start script that takes the same variables (KAFKA_LISTENERS: listeners=…).
#
#   .ci/kafka-image.sh JARS TAG
set -euo pipefail
jars=$1 tag=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,etc,tmp,proc,sys,dev,lib64,opt/kafka/libs,var/lib/kafka/data}
chmod 1777 "$root/tmp"

box=$(command -v busybox)
cp "$box" "$root/bin/busybox"
for name in $("$box" --list); do [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"; done
# The image's own nc knows -z, busybox's here perhaps not.
rm "$root/bin/nc"
printf '#!/bin/sh\n[ "$1" = -z ] && shift\nexec busybox nc -w 2 "$@" < /dev/null\n' > "$root/bin/nc"
chmod +x "$root/bin/nc"
printf 'root:x:0:0:root:/root:/bin/sh\nappuser:x:1000:1000::/tmp:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\nappuser:x:1000:\n' > "$root/etc/group"
cp "$jars"/*.jar "$root/opt/kafka/libs/"

home=$(dirname "$(dirname "$(readlink -f "$(command -v jlink)")")")
"$home/bin/jlink" --module-path "$home/jmods" --strip-debug --no-header-files --no-man-pages --output "$root/opt/java" \
  --add-modules java.base,java.desktop,java.logging,java.management,java.naming,java.security.jgss,java.security.sasl,java.sql,java.xml,jdk.management,jdk.unsupported,jdk.crypto.ec
# What the runtime is linked to, beside it, and what the jars' own libraries want.
c=$(ldd "$root/opt/java/bin/java" | sed -n 's/.*libc\.so\.6 => \(\/[^ ]*\) .*/\1/p')
{
  { find "$root/opt/java" -name '*.so' -o -path '*/bin/*' -type f; } | xargs ldd 2> /dev/null
  for name in libpthread.so.0 libdl.so.2 librt.so.1 libm.so.6; do echo "$name => $(dirname "$c")/$name (0)"; done
} | sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-[^ ]*\) (.*/\1/p' | sort -u |
  while read -r lib; do
    case $lib in "$root"/*) continue ;; esac
    mkdir -p "$root$(dirname "$lib")"
    cp -L "$lib" "$root$lib"
  done

cat > "$root/opt/kafka/log4j2.xml" <<'XML'
<Configuration status="warn">
  <Appenders><Console name="out"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
XML
cat > "$root/opt/kafka/run" <<'SH'
#!/bin/sh
set -eu
file=/opt/kafka/config/server.properties
env | grep '^KAFKA_' | grep -v '^KAFKA_HEAP_OPTS=' | while IFS= read -r line; do
  name=${line%%=*}
  echo "$(echo "${name#KAFKA_}" | tr '[:upper:]_' '[:lower:].')=${line#*=}"
done > "$file"
java() { exec /opt/java/bin/java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true -Dlog4j2.configurationFile=/opt/kafka/log4j2.xml "$@"; }
(java -cp '/opt/kafka/libs/*' kafka.tools.StorageTool format --ignore-formatted -t 5L6g3nShT-eMCtK--X86sw -c "$file")
java ${KAFKA_HEAP_OPTS:--Xms256m -Xmx512m} -cp '/opt/kafka/libs/*' kafka.Kafka "$file"
SH
chmod +x "$root/opt/kafka/run"
mkdir -p "$root/opt/kafka/config"
chown -R 1000:1000 "$root/var/lib/kafka/data" "$root/opt/kafka/config"

tar -C "$root" -c . | docker import -c 'ENV PATH=/bin' -c 'USER 1000:1000' -c 'VOLUME /var/lib/kafka/data' -c 'ENTRYPOINT ["/opt/kafka/run"]' - "$tag"
