'use strict';
/* One client library writes, one write after the other, while the cluster loses its leader; what the application sees of
 * it is counted. Arguments: library, mode (plain, sentinel, cluster), the ports to be told to the library, how many events
 * there will be. Each is asked for with "event N", answered when it is over; in between writes go on. */
const {say, ask, fail} = require('./harness');

const EVERY_MS = 10;
const QUIET_MS = 1000; // of successful writes after an event
const PATIENCE_MS = 30000;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const addresses = (ports) => ports.map((port) => ({host: '127.0.0.1', port}));

/* As a user would configure it: the addresses, and nothing that is not in docs/CLIENTS.md. */
const libraries = {
    ioredis: {
        plain: (ports) => new (require('ioredis'))({host: '127.0.0.1', port: ports[0]}),
        sentinel: (ports) => new (require('ioredis'))({sentinels: addresses(ports), name: 'mymaster'}),
        cluster: (ports) => new (require('ioredis').Cluster)(addresses(ports)),
    },
    'node-redis-4': {
        plain: (ports) => require('redis').createClient({socket: addresses(ports)[0]}),
        cluster: (ports) => require('redis').createCluster({rootNodes: addresses(ports).map((socket) => ({socket}))}),
    },
    'node-redis-5': {
        plain: (ports) => require('redis5').createClient({socket: addresses(ports)[0]}),
        sentinel: (ports) => require('redis5').createSentinel({name: 'mymaster', sentinelRootNodes: addresses(ports)}),
        cluster: (ports) => require('redis5').createCluster({rootNodes: addresses(ports).map((socket) => ({socket}))}),
    },
};

async function open(library, mode, ports) {
    const client = libraries[library][mode](ports);
    client.on('error', () => {}); // of connections; what the application sees are the promises
    if (library !== 'ioredis') await client.connect();
    return client;
}

const seen = {writes: 0, errors: 0, texts: new Map(), slowest_ms: 0, last_good: Date.now(), acknowledged: []};

async function write_on(client, is_over) {
    for (let i = 0; !is_over(); i++) {
        const began = Date.now();
        try {
            if (String(await client.set(`follow:${i}`, `${i}`)) !== 'OK') fail('SET was not answered with OK');
            seen.acknowledged.push(i);
            seen.last_good = Date.now();
        } catch (error) {
            seen.errors++;
            seen.texts.set(error.message, (seen.texts.get(error.message) || 0) + 1);
        }
        seen.writes++;
        seen.slowest_ms = Math.max(seen.slowest_ms, Date.now() - began);
        await pause(EVERY_MS);
    }
}

/* Writes succeed for a while. */
async function settle() {
    const from = Date.now();
    while (Date.now() - from < PATIENCE_MS) {
        if (Date.now() - from >= QUIET_MS && Date.now() - seen.last_good < 200) return;
        await pause(20);
    }
    fail(`no write succeeded within ${PATIENCE_MS} ms after the event; errors: ${JSON.stringify([...seen.texts])}`);
}

(async () => {
    const [library, mode, list, events] = process.argv.slice(2);
    const client = await open(library, mode, list.split(',').map(Number));
    let is_over = false;
    const writing = write_on(client, () => is_over);
    await settle();
    for (let i = 0; i < Number(events); i++) {
        seen.slowest_ms = 0;
        const before = seen.errors;
        const name = await ask(`event ${i}`);
        await settle();
        say(`note ${library}, ${mode}, ${name}: ${seen.errors - before} errors, slowest write ${seen.slowest_ms} ms`);
    }
    is_over = true;
    await writing;
    for (const i of seen.acknowledged) {
        if ((await client.get(`follow:${i}`)) !== `${i}`) fail(`follow:${i} was acknowledged, and is not there`);
    }
    for (const [text, count] of seen.texts) say(`note ${count} x ${text}`);
    say(`errors ${seen.errors} of ${seen.writes}`);
    process.exit(0);
})().catch((error) => fail(error.stack));
