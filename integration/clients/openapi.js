'use strict';
/* The OpenAPI document beside real answers: a request for each status that it names, and each answer's status, content type, headers and
 * body as it says. A schema keyword this doesn't know is an error, so that nothing is waved through; statuses that were named and never
 * seen are one too, except 504, whose moment can't be chosen.
 *
 * Ports: a node of a cluster of three in test mode that leads, another one, and a blank node's. */
const net = require('net');
const {say, ask, run} = require('./harness');

let document;
const seen = new Map(); /* "get /path" -> Set of statuses */
const wrong = [];

const resolve = (s) => (s.$ref ? s.$ref.slice(2).split('/').reduce((at, name) => at[name], document) : s);
const typeOf = (v) => (v === null ? 'null' : Array.isArray(v) ? 'array' : typeof v);
const isType = (v, type) => (type === 'integer' ? Number.isInteger(v) : typeOf(v) === type);

const check = {
    $ref: (s, v) => problem(resolve({$ref: s}), v),
    type: (s, v) => (s instanceof Array ? s : [s]).some((t) => isType(v, t)) ? null : `is no ${s}: ${JSON.stringify(v)}`,
    const: (s, v) => (s === v ? null : `is not ${JSON.stringify(s)}: ${JSON.stringify(v)}`),
    enum: (s, v) => (s.includes(v) ? null : `is none of ${JSON.stringify(s)}: ${JSON.stringify(v)}`),
    pattern: (s, v) => (new RegExp(s).test(v) ? null : `does not look like ${s}: ${JSON.stringify(v)}`),
    minimum: (s, v) => (v >= s ? null : `${v} is less than ${s}`),
    required: (s, v) => s.filter((name) => !(name in v)).map((name) => `lacks ${name}`)[0] || null,
    items: (s, v) => v.map((item, i) => within(`[${i}]`, problem(s, item))).find(Boolean) || null,
    oneOf: (s, v) => {
        const fits = s.filter((one) => !problem(one, v)).length;
        return fits === 1 ? null : `fits ${fits} of ${s.length}: ${JSON.stringify(v)}`;
    },
    properties: (s, v) => Object.keys(s).map((name) => (name in v ? within(`.${name}`, problem(s[name], v[name])) : null)).find(Boolean) || null,
    patternProperties: (s, v) =>
        Object.entries(s).flatMap(([pattern, one]) => Object.keys(v).filter((name) => new RegExp(pattern).test(name))
            .map((name) => within(`.${name}`, problem(one, v[name])))).find(Boolean) || null,
    additionalProperties: (s, v, whole) => {
        if (s !== false) throw new Error('additionalProperties is only understood as false');
        const known = (name) => name in (whole.properties || {}) || Object.keys(whole.patternProperties || {}).some((p) => new RegExp(p).test(name));
        return Object.keys(v).filter((name) => !known(name)).map((name) => `has ${name}, which is not named`)[0] || null;
    },
    description: () => null,
};
const within = (where, text) => (text ? `${where} ${text}` : null);

/* What is wrong with `v`, or null. */
function problem(schema, v) {
    for (const [keyword, s] of Object.entries(schema)) {
        if (!check[keyword]) throw new Error(`unknown keyword ${keyword}`);
        const text = check[keyword](s, v, schema);
        if (text) return text;
    }
    return null;
}

async function judge(where, operation, response) {
    const status = String(response.status);
    const named = operation.responses[status];
    if (!named) return `${status} is not named; body ${(await response.text()).slice(0, 200)}`;
    for (const header of Object.keys(named.headers || {})) {
        if (!response.headers.has(header)) return `${status} without ${header}`;
    }
    const type = response.headers.get('content-type');
    if (type && type.startsWith('text/event-stream')) {
        response.body.cancel();
        return named.content && named.content[type] ? null : `${status} with ${type}`;
    }
    const body = await response.text();
    if (!named.content) return body === '' ? null : `${status} has a body: ${body.slice(0, 200)}`;
    if (type === null && body === '') return /without a body/.test(named.description) ? null : `${status} has no body`;
    if (!named.content[type]) return `${status} with ${type}, not ${Object.keys(named.content)}`;
    return within(status, problem(named.content[type].schema, /json/.test(type) ? JSON.parse(body) : body));
}

/* `path` with its names filled in; what the answer should be, or 0: any that is named. */
async function probe(port, method, path, fill, status, options = {}) {
    const operation = document.paths[path] && document.paths[path][method];
    const where = `${method} ${path}`;
    if (!operation) throw new Error(`${where} is not in the document`);
    const url = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(fill[name])) + (options.query || '');
    const headers = {...(options.json !== undefined ? {'Content-Type': 'application/json'} : {}), ...options.headers};
    const body = options.json !== undefined ? (typeof options.json === 'string' ? options.json : JSON.stringify(options.json)) : options.body;
    const response = await fetch(`http://127.0.0.1:${port}${url}`, {method: method.toUpperCase(), headers, body, redirect: 'manual'});
    if (!seen.has(where)) seen.set(where, new Set());
    seen.get(where).add(String(response.status));
    const text = (status && response.status !== status ? `is ${response.status}, should be ${status}; ` : '') + ((await judge(where, operation, response)) || '');
    if (text) wrong.push(`${where} (${url}): ${text}`);
    return response;
}

/* fetch can't ask for an upgrade. */
function upgrade(port, path) {
    return new Promise((done, failed) => {
        const socket = net.connect(port, '127.0.0.1', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n` +
            'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'));
        let text = '';
        socket.setTimeout(20000, () => failed(new Error(`no answer to an upgrade of ${path}`)));
        socket.on('error', failed);
        socket.on('data', (data) => {
            text += data;
            if (text.length >= 12) {
                socket.destroy();
                seen.get(`get ${path.split('?')[0]}`).add(text.slice(9, 12));
                done();
            }
        });
    });
}

async function ownProbes(port, fresh) {
    const key = {key: 'own/k'};
    const put = await probe(port, 'put', '/v1/keys/{key}', key, 204, {body: 'abc'});
    const tag = put.headers.get('etag');
    await probe(port, 'put', '/v1/keys/{key}', key, 412, {body: 'abc', headers: {'If-None-Match': '*'}});
    await probe(port, 'put', '/v1/keys/{key}', key, 400, {body: 'abc', headers: {'If-None-Match': '"1"'}});
    await probe(port, 'get', '/v1/keys/{key}', key, 200);
    await probe(port, 'get', '/v1/keys/{key}', key, 304, {headers: {'If-None-Match': tag}});
    await probe(port, 'get', '/v1/keys/{key}', {key: 'none'}, 404);
    await probe(port, 'delete', '/v1/keys/{key}', key, 412, {headers: {'If-Match': '"1"'}});
    await probe(port, 'delete', '/v1/keys/{key}', key, 400, {headers: {'If-None-Match': '*'}});
    await probe(port, 'delete', '/v1/keys/{key}', key, 204);
    await probe(port, 'delete', '/v1/keys/{key}', key, 404);
    await probe(port, 'post', '/v1/command', {}, 200, {json: ['RPUSH', 'list', 'a', 'b']});
    await probe(port, 'post', '/v1/command', {}, 400, {json: ['NOPE']});
    await probe(port, 'post', '/v1/command', {}, 409, {json: ['GET', 'list']});
    await probe(port, 'get', '/v1/keys/{key}', {key: 'list'}, 409);
    await probe(port, 'post', '/v1/pipeline', {}, 200, {json: [['SET', 'a', '1'], ['NOPE']]});
    await probe(port, 'post', '/v1/pipeline', {}, 400, {json: ['PING']});
    await probe(port, 'get', '/v1/cluster', {}, 200);
    await probe(port, 'post', '/v1/cluster/members', {}, 400, {json: {address: 'nonsense'}});
    await probe(port, 'post', '/v1/cluster/members', {}, 200, {json: {address: `127.0.0.1:${fresh}`}});
    await probe(port, 'delete', '/v1/cluster/members/{address}', {address: `127.0.0.1:${fresh}`}, 200);
    await probe(port, 'delete', '/v1/cluster/members/{address}', {address: '127.0.0.1:1'}, 400);
    await probe(port, 'post', '/v1/cluster/transfer', {}, 400, {json: {address: '127.0.0.1:1'}});
    await probe(port, 'post', '/v1/cluster/transfer', {}, 200);
    await probe(port, 'get', '/v1/watch', {}, 200);
    await probe(port, 'get', '/v1/watch', {}, 400, {query: '?from=99999999'});
    await probe(port, 'get', '/v1/watch', {}, 400, {query: '?db=x'});
    await probe(port, 'get', '/v1/watch', {}, 410, {query: '?from=1'});
    await probe(port, 'get', '/v1/live', {}, 426);
    await probe(port, 'get', '/ws', {}, 426);
    await upgrade(port, '/v1/live');
    await upgrade(port, '/ws');
    await upgrade(port, '/ws?from=99999999');
    for (const path of ['/', '/metrics', '/healthz', '/readyz', '/v1/openapi.json']) await probe(port, 'get', path, {}, 200);
}

async function otherProbes(port) {
    const json = (value) => ({json: value});
    await probe(port, 'get', '/admin/status', {}, 200);
    await probe(port, 'get', '/admin/status', {}, 200, {headers: {Accept: 'application/json'}});
    await probe(port, 'get', '/debug/state', {}, 200);
    await probe(port, 'get', '/keys/{key}', {key: 'l/1'}, 404);
    await probe(port, 'post', '/keys/{key}', {key: 'l/1'}, 204, json({type: 'PUT', value: ['a', 'b']}));
    await probe(port, 'post', '/keys/{key}', {key: 'l/1'}, 400, json({type: 'PUT', value: 'a'}));
    await probe(port, 'get', '/keys/{key}', {key: 'l/1'}, 200);
    await probe(port, 'post', '/set/{key}/{value}', {key: 's', value: 'v w'}, 200);
    await probe(port, 'get', '/keys/{key}', {key: 's'}, 400);
    await probe(port, 'post', '/keys/{key}', {key: 's'}, 400, json({type: 'APPEND', value: 'a'}));
    await probe(port, 'get', '/set/{key}/{value}', {key: 's', value: 'x'}, 405);
    await probe(port, 'post', '/v1/command', {}, 200, json(['CONFIG', 'SET', 'http-legacy-get-set', 'yes']));
    await probe(port, 'get', '/set/{key}/{value}', {key: 's', value: 'x'}, 200);
    await probe(port, 'get', '/get/{key}', {key: 's'}, 200);
    await probe(port, 'get', '/get/{key}', {key: 'none'}, 404);
    await probe(port, 'get', '/get/{key}', {key: 'l/1'}, 400);
    await probe(port, 'post', '/write', {}, 200, json({key: 'w', value: '1'}));
    await probe(port, 'post', '/write', {}, 409, json({key: 'w', value: '2'}));
    await probe(port, 'post', '/write', {}, 400, json({key: 'w'}));
    await probe(port, 'get', '/read/{key}', {key: 'w'}, 200);
    await probe(port, 'get', '/read/{key}', {key: 'none'}, 404);
    await probe(port, 'get', '/read/{key}', {key: 'l/1'}, 400);
    await probe(port, 'delete', '/delete/{key}', {key: 'w'}, 200);
    await probe(port, 'delete', '/delete/{key}', {key: 'w'}, 404);
    await probe(port, 'get', '/nodes', {}, 200);
    await probe(port, 'get', '/nodes_for_key/{key}', {key: 'w'}, 200);
    for (const method of ['get', 'put', 'delete']) await probe(port, method, '/items/{key}', {key: 'i'}, 200, method === 'put' ? json({value: 1}) : {});
    await probe(port, 'post', '/items/{key}', {key: 'i'}, 200, json({value: [1, null]}));
    await probe(port, 'post', '/items/{key}', {key: 'i'}, 200, json({value: 2}));
    await probe(port, 'get', '/items/{key}', {key: 'i'}, 200);
    await probe(port, 'put', '/items/{key}', {key: 'i'}, 200, json({value: 'x'}));
    await probe(port, 'put', '/items/{key}/cas', {key: 'i'}, 200, json({expected: 'x', desired: 'y'}));
    await probe(port, 'put', '/items/{key}/cas', {key: 'i'}, 200, json({expected: 'x', desired: 'z'}));
    await probe(port, 'put', '/items/{key}/cas', {key: 'i'}, 400, json({expected: 'x'}));
    await probe(port, 'delete', '/items/{key}', {key: 'i'}, 200);
    await probe(port, 'post', '/items/{key}', {key: 'i'}, 400, json({}));
    await probe(port, 'put', '/items/{key}', {key: 'i'}, 400, json('{'));
    for (const method of ['get', 'delete']) await probe(port, method, '/items/{key}', {key: 'l/1'}, 400);
}

/* Node 0, 1 or 2; by then it may be the one that is asked. */
async function nodeProbes(port) {
    const list = await (await fetch(`http://127.0.0.1:${port}/nodes`)).json();
    const another = list.nodes.find((n) => n.port !== port && n.role !== 'leader').node_id;
    for (const what of ['fail', 'recover']) {
        await probe(port, 'post', `/${what}/{id}`, {id: another}, 200);
        await probe(port, 'post', `/${what}/{id}`, {id: 7}, 404);
        await probe(port, 'post', '/v1/command', {}, 200, {json: ['CONFIG', 'GET', 'test-mode']});
    }
}

/* Everything that needs a majority, at once: not done, or nobody knows. */
async function withoutMajority(port) {
    const json = (value) => ({json: value});
    const all = [
        probe(port, 'get', '/keys/{key}', {key: 'l/1'}, 0), probe(port, 'post', '/keys/{key}', {key: 'l/1'}, 0, json({type: 'APPEND', value: 'x'})),
        probe(port, 'get', '/get/{key}', {key: 's'}, 0), probe(port, 'post', '/set/{key}/{value}', {key: 's', value: 'n'}, 0),
        probe(port, 'post', '/write', {}, 0, json({key: 'm', value: '1'})), probe(port, 'get', '/read/{key}', {key: 's'}, 0),
        probe(port, 'delete', '/delete/{key}', {key: 's'}, 0), probe(port, 'get', '/items/{key}', {key: 'i'}, 0),
        probe(port, 'post', '/items/{key}', {key: 'i'}, 0, json({value: 1})), probe(port, 'put', '/items/{key}', {key: 'i'}, 0, json({value: 1})),
        probe(port, 'delete', '/items/{key}', {key: 'i'}, 0), probe(port, 'put', '/items/{key}/cas', {key: 'i'}, 0, json({expected: null, desired: 1})),
        probe(port, 'post', '/v1/command', {}, 0, json(['INCR', 'n'])), probe(port, 'get', '/v1/keys/{key}', {key: 's'}, 0),
        probe(port, 'put', '/v1/keys/{key}', {key: 's'}, 0, {body: 'x'}), probe(port, 'delete', '/v1/keys/{key}', {key: 's'}, 0),
        probe(port, 'get', '/v1/watch', {}, 0), upgrade(port, '/ws'),
        probe(port, 'post', '/v1/cluster/members', {}, 0, json({address: '127.0.0.1:1'})),
        probe(port, 'post', '/v1/cluster/transfer', {}, 0), probe(port, 'get', '/set/{key}/{value}', {key: 's', value: 'g'}, 0),
    ];
    await Promise.all(all);
}

/* Where a status can only come in a moment that can't be chosen. */
const mayBeUnseen = (where, status) => status === 'default' || status === '504' || (/^post .(fail|recover)/.test(where) && status === '403');

run(async (leader, other, fresh) => {
    document = await (await fetch(`http://127.0.0.1:${leader}/v1/openapi.json`)).json();
    await ownProbes(other, fresh);
    await otherProbes(leader);
    await nodeProbes(leader);
    await ask('leave one node');
    await withoutMajority(leader);
    for (let i = 0; i < 300 && (await fetch(`http://127.0.0.1:${leader}/readyz`)).status !== 503; i++) await new Promise((r) => setTimeout(r, 100));
    await probe(leader, 'get', '/readyz', {}, 503);
    await withoutMajority(leader);
    const gone = (await (await fetch(`http://127.0.0.1:${leader}/nodes`)).json()).nodes.find((n) => n.port !== leader);
    for (const what of ['fail', 'recover']) await probe(leader, 'post', `/${what}/{id}`, {id: gone.node_id}, 503);
    await probe(leader, 'delete', '/v1/cluster/members/{address}', {address: gone.address}, 0);
    for (const [path, operations] of Object.entries(document.paths)) {
        for (const [method, operation] of Object.entries(operations)) {
            const where = `${method} ${path}`;
            for (const status of Object.keys(operation.responses)) {
                if (!mayBeUnseen(where, status) && !(seen.get(where) && seen.get(where).has(status))) wrong.push(`${where}: ${status} was never seen`);
            }
        }
    }
    if (wrong.length) throw new Error(`the document and the server differ:\n  ${wrong.join('\n  ')}`);
    say(`note ${[...seen.values()].reduce((sum, s) => sum + s.size, 0)} answers of ${seen.size} operations are as the document says`);
});
