# Three stages:
#   build     compiles; nothing of it but the program goes on
#   coracle   the server: Debian, libev, jemalloc, http-parser, wslay, one program; no root, and nothing it needs to write outside /data
#   toolbox   the server with iptables, tc and socat: for the network faults of integration/docker/, and for
#             the forwarded ports of docker-compose.yml's profile "ports"
#
#   docker build --target coracle -t coracle .
#   docker run --read-only -v coracle:/data -p 127.0.0.1:6379:6379 coracle
FROM debian:bookworm-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libev-dev libhttp-parser-dev libjemalloc-dev libwslay-dev make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /coracle
COPY Makefile ./
COPY resp resp
COPY raft raft
COPY src src
RUN make -j2 BUILD=release JEMALLOC=yes HTTP_PARSER=yes WSLAY=yes coracle && strip --strip-unneeded build/release/coracle

FROM debian:bookworm-slim AS coracle
RUN apt-get update \
    && apt-get install -y --no-install-recommends libev4 libhttp-parser2.9 libjemalloc2 libwslay1 \
    && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/*
# Volumes that are mounted here for the first time take these folders' owner and mode.
RUN groupadd --gid 10001 coracle \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin coracle \
    && install -d -o 10001 -g 10001 -m 700 /data /secret
COPY --from=build /coracle/build/release/coracle /usr/local/bin/coracle
COPY integration/docker/coracle-health integration/docker/coracle-secret /usr/local/bin/
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 6379
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s --retries=3 CMD ["coracle-health"]
ENTRYPOINT ["coracle"]
# Clients of a container are never on "this machine", so protected mode would refuse them all: publish the port on
# 127.0.0.1 only, or set a password (coracle --requirepass ...).
CMD ["--bind", "0.0.0.0", "--protected-mode", "no", "--dir", "/data"]

FROM coracle AS toolbox
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends iproute2 iptables socat \
    && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/*
COPY integration/docker/coracle-forward /usr/local/bin/
USER 10001:10001
