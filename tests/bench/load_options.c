#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/load_workload.h"

static void load_usage(void)
{
    printf("load: one thread, epoll, checks every reply\n"
           "  --host H --port P      where (default 127.0.0.1 6379)\n"
           "  --password W           AUTH first\n"
           "  --clients N            connections (50)\n"
           "  --pipeline P           requests under way per connection (1)\n"
           "  --workload W           ping|set|get|incr|mset (set); zadd|hset|lset: elements of one key, drawn among --keys\n"
           "  --value-size N         bytes per value (100)\n"
           "  --keys N               random keys among N (100000)\n"
           "  --sequential           every key once, in order, instead\n"
           "  --seconds S            measure so long (5), after --warmup S (0.5)\n"
           "  --requests N           instead of --seconds, without a warm-up\n"
           "  --fill                 write every key (element) once before measuring\n"
           "  --seed N               of keys and values (1)\n"
           "  --tab                  one line name=value ...\n"
           "  --failover H:P,H:P,..  unique writes over several nodes for --seconds; prints the longest time without\n"
           "                         an acknowledged write; error replies and lost connections are counted, not fatal\n"
           "  --syncs DIR            no load: the time of an fdatasync there, and of two and three at once\n"
           "  --pauses MIB           no load: how long the machine keeps a program waiting that looks at the clock, and one\n"
           "                         that touches so much memory for the first time\n");
}

static void load_parse_nodes(struct load_options *o, const char *list)
{
    o->node_count = 0;
    for (const char *p = list; *p != '\0' && o->node_count < LOAD_MAX_NODES;) {
        size_t len = strcspn(p, ",");
        struct load_address *a = &o->node[o->node_count++];
        unsigned port = 0;
        if (len >= sizeof a->host || sscanf(p, "%63[^:]:%u", a->host, &port) != 2 || port == 0 || port > 65535) {
            errno = EINVAL;
            load_die("--failover wants host:port,host:port,...");
        }
        a->port = (uint16_t)port;
        p += len + (p[len] == ',');
    }
}

static enum load_workload load_parse_workload(const char *name)
{
    int found = load_workload_find(name);
    if (found >= 0) {
        return (enum load_workload)found;
    }
    errno = EINVAL;
    load_die(name);
    return LOAD_PING;
}

static void load_parse_option(struct load_options *o, int option, const char *arg)
{
    switch (option) {
    case 'h': snprintf(o->node[0].host, sizeof o->node[0].host, "%s", arg); break;
    case 'p': o->node[0].port = (uint16_t)strtoul(arg, NULL, 10); break;
    case 'a': o->password = arg; break;
    case 'c': o->clients = strtoul(arg, NULL, 10); break;
    case 'P': o->pipeline = strtoul(arg, NULL, 10); break;
    case 'w': o->workload = load_parse_workload(arg); break;
    case 'v': o->value_size = strtoul(arg, NULL, 10); break;
    case 'k': o->keys = strtoull(arg, NULL, 10); break;
    case 'q': o->sequential = true; break;
    case 's': o->seconds = strtod(arg, NULL); break;
    case 'W': o->warmup = strtod(arg, NULL); break;
    case 'r': o->requests = strtoull(arg, NULL, 10); break;
    case 'f': o->fill = true; break;
    case 'S': o->seed = strtoull(arg, NULL, 10); break;
    case 't': o->tab = true; break;
    case 'F': o->failover = true; load_parse_nodes(o, arg); break;
    case 'D': o->syncs_dir = arg; break;
    case 'M': o->pauses_mib = strtoull(arg, NULL, 10); break;
    default: load_usage(); exit(option == '?' ? 2 : 0);
    }
}

void load_parse_options(struct load_options *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"host", 1, NULL, 'h'}, {"port", 1, NULL, 'p'}, {"password", 1, NULL, 'a'}, {"clients", 1, NULL, 'c'},
        {"pipeline", 1, NULL, 'P'}, {"workload", 1, NULL, 'w'}, {"value-size", 1, NULL, 'v'}, {"keys", 1, NULL, 'k'},
        {"sequential", 0, NULL, 'q'}, {"seconds", 1, NULL, 's'}, {"warmup", 1, NULL, 'W'}, {"requests", 1, NULL, 'r'},
        {"fill", 0, NULL, 'f'}, {"seed", 1, NULL, 'S'}, {"tab", 0, NULL, 't'}, {"failover", 1, NULL, 'F'},
        {"syncs", 1, NULL, 'D'}, {"pauses", 1, NULL, 'M'}, {"help", 0, NULL, 'H'}, {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        load_parse_option(o, option, optarg);
    }
    if (optind < argc || o->clients == 0 || o->clients > 10000 || o->pipeline == 0 || o->pipeline > 100000 || o->keys == 0 ||
        o->value_size > 64u * 1024 * 1024) {
        load_usage();
        exit(2);
    }
}
