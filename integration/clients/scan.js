'use strict';
/* node-redis 4 goes over 100,000 keys while the cluster loses a node: each key once or more, none missing. Ports: of the
 * node to talk to, of another one for scan_moves. */
const {createClient} = require('redis');
const {say, ask, fail, run} = require('./harness');

const KEYS = 100000;
const PART = 5000;

async function connect(port) {
    const client = createClient({socket: {host: '127.0.0.1', port, reconnectStrategy: false}});
    client.on('error', () => {});
    await client.connect();
    return client;
}

async function fill(client) {
    for (let i = 0; i < KEYS; i += PART) {
        await Promise.all(Array.from({length: PART}, (_, j) => client.set(`scan:${i + j}`, `${i + j}`)));
    }
}

function check(seen, what) {
    let repeated = 0;
    for (let i = 0; i < KEYS; i++) {
        const times = seen.get(`scan:${i}`) || 0;
        if (times === 0) {
            fail(`${what}: scan:${i} is missing, and ${KEYS - seen.size} keys in all`);
        }
        repeated += times - 1;
    }
    if (seen.size !== KEYS) {
        fail(`${what}: ${seen.size} keys instead of ${KEYS}`);
    }
    say(`note ${what}: ${KEYS} keys, ${repeated} of them twice`);
}

function count(seen, key) {
    seen.set(key, (seen.get(key) || 0) + 1);
}

/* The leader dies while a follower is asked; the iterator notices nothing. */
async function iterate(client, killing) {
    const seen = new Map();
    for await (const key of client.scanIterator({MATCH: 'scan:*', COUNT: 100})) {
        count(seen, key);
        if (killing && seen.size === Math.floor(KEYS / 3)) {
            await ask('kill the leader');
        }
    }
    return seen;
}

/* The node that is asked dies; the cursor goes on with another node, through the same double. */
async function move(client, port) {
    const seen = new Map();
    let cursor = 0;
    let killed = false;
    do {
        const reply = await client.scan(cursor, {COUNT: 100});
        reply.keys.forEach((key) => count(seen, key));
        cursor = reply.cursor;
        if (!killed && seen.size > KEYS / 2) {
            killed = true;
            await ask('kill this node');
            client = await connect(port);
        }
    } while (cursor !== 0);
    await client.quit();
    return seen;
}

run(async (port, other) => {
    const client = await connect(port);
    await fill(client);
    check(await iterate(client, false), 'nothing happens');
    check(await iterate(client, true), 'the leader dies');
    await ask('start it again');
    check(await move(client, other), 'the node asked dies');
});
