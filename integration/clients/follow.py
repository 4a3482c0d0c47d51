"""As follow.js, for redis-py (Debian's python3-redis)."""
import json
import sys
import threading
import time

import redis
import redis.sentinel

EVERY_S = 0.01
QUIET_S = 1.0
PATIENCE_S = 30.0


class Seen:
    writes = errors = 0
    texts = {}
    slowest_s = 0.0
    last_good = time.monotonic()
    acknowledged = []
    is_over = False


def say(text):
    print(text, flush=True)


def fail(text):
    print(text, file=sys.stderr, flush=True)
    sys.exit(1)


def connect(mode, ports):
    if mode == "plain":
        return redis.Redis(host="127.0.0.1", port=ports[0], decode_responses=True)
    if mode == "sentinel":
        sentinel = redis.sentinel.Sentinel([("127.0.0.1", port) for port in ports])
        return sentinel.master_for("mymaster", decode_responses=True)
    nodes = [redis.cluster.ClusterNode("127.0.0.1", port) for port in ports]
    return redis.cluster.RedisCluster(startup_nodes=nodes, decode_responses=True)


def write_on(client):
    i = 0
    while not Seen.is_over:
        began = time.monotonic()
        try:
            client.set("follow:%d" % i, i)
            Seen.acknowledged.append(i)
            Seen.last_good = time.monotonic()
        except Exception as error:  # what the application sees, whatever it is
            Seen.errors += 1
            text = "%s: %s" % (type(error).__name__, error)
            Seen.texts[text] = Seen.texts.get(text, 0) + 1
        Seen.writes += 1
        Seen.slowest_s = max(Seen.slowest_s, time.monotonic() - began)
        i += 1
        time.sleep(EVERY_S)


def settle():
    begin = time.monotonic()
    while time.monotonic() - begin < PATIENCE_S:
        now = time.monotonic()
        if now - begin >= QUIET_S and now - Seen.last_good < 0.2:
            return
        time.sleep(0.02)
    Seen.is_over = True
    fail("no write succeeded within %d s after the event; errors: %s" % (PATIENCE_S, json.dumps(Seen.texts)))


def main(mode, ports, events):
    client = connect(mode, [int(port) for port in ports.split(",")])
    writer = threading.Thread(target=write_on, args=(client,), daemon=True)
    writer.start()
    settle()
    for i in range(int(events)):
        Seen.slowest_s = 0.0
        before = Seen.errors
        say("event %d" % i)
        name = sys.stdin.readline().strip()
        settle()
        say("note redis-py %s, %s, %s: %d errors, slowest write %d ms"
            % (redis.__version__, mode, name, Seen.errors - before, Seen.slowest_s * 1000))
    Seen.is_over = True
    writer.join()
    for i in Seen.acknowledged:
        if client.get("follow:%d" % i) != str(i):
            fail("follow:%d was acknowledged, and is not there" % i)
    for text, count in Seen.texts.items():
        say("note %d x %s" % (count, text))
    say("errors %d of %d" % (Seen.errors, Seen.writes))


main(*sys.argv[1:])
