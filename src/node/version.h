#ifndef NODE_VERSION_H
#define NODE_VERSION_H

/* What tools are told: the Redis whose behaviour is followed, and coracle's own version. */
#define REDIS_VERSION "7.0.15"
#define CORACLE_VERSION "0.1.0"

#endif
