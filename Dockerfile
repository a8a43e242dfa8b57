# timbridge as an image: one static program, no shell, no user but its own.
# docker-compose.yml shows how it is run.

FROM golang:1.26.8 AS build
# A proxy for Go modules nearer by: --build-arg GOPROXY=https://goproxy.cn,direct
ARG GOPROXY=https://proxy.golang.org,direct
ARG VERSION=dev
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/timbridge ./cmd/timbridge
# A named volume takes owner and mode from the folder that it covers.
RUN mkdir -p /out/root/timbridge/data /out/root/tmp && chmod 0700 /out/root/timbridge/data && chmod 1777 /out/root/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/timbridge /usr/local/bin/timbridge
COPY --from=build --chown=65532:65532 /out/root/ /
ENV PATH=/usr/local/bin
# config.hcl is looked for here, and what has to be kept lies in data.
WORKDIR /timbridge
VOLUME /timbridge/data
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=2m --retries=3 CMD ["timbridge", "health"]
ENTRYPOINT ["timbridge"]
CMD ["run"]
