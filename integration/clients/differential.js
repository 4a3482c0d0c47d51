'use strict';
/* The same random commands to coracle and to redis-server; every reply must be the same bytes, in RESP2 and RESP3.
 *
 *   node differential.js CORACLE-PORT REDIS-PORT COMMANDS SEED
 *
 * The commands are those that coracle lists and Redis 7.0 documents (COMMAND DOCS): their arguments are made from Redis's own
 * description of the syntax, with values from the edges, and one in eight is spoilt: words left out, doubled, exchanged,
 * invented. Both servers begin empty and get one connection each, in RESP2 and RESP3 by turns.
 *
 * What can't be equal byte for byte is named here, with the reason:
 *   - left_out: not sent at all;
 *   - Redis's own tips: "nondeterministic_output" (compared in type and shape only), "nondeterministic_output_order" (as a set);
 *   - counting_down: times to live may differ by the time between the two servers;
 *   - tame: arguments that are changed before they are sent, since Redis itself leaves open what follows, or the clock decides;
 *   - explained: differences that docs/COMMANDS.md tells the user of, or that Redis documents as undefined. */
const net = require('net');
const {say, fail} = require('./harness');

const left_out = {
    'the connection ends, changes its protocol or is no longer one of requests and replies': [
        'quit', 'reset', 'hello', 'monitor', 'client|reply', 'client|kill', 'client|tracking', 'client|caching', 'subscribe', 'psubscribe',
        'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe'],
    'the server ends, changes its options or its place in a cluster': [
        'shutdown', 'config|set', 'config|rewrite', 'config|resetstat', 'replicaof', 'slaveof', 'failover', 'psync', 'sync', 'replconf',
        'save', 'bgsave', 'bgrewriteaof', 'debug', 'module|load', 'module|loadex', 'module|unload', 'acl|setuser', 'acl|deluser', 'acl|load',
        'acl|save', 'auth'],
    'it waits': ['wait', 'client|pause', 'client|unpause', 'blpop', 'brpop', 'brpoplpush', 'blmove', 'blmpop', 'bzpopmin', 'bzpopmax', 'bzmpop',
        'xread', 'xreadgroup', 'client|unblock'],
    'it removes or makes what chance or the clock says, and the data would differ from then on': ['spop', 'xadd', 'migrate', 'xclaim', 'xautoclaim'],
    'it tells of the server itself, its options, its commands, its cluster': [
        'info', 'config|get', 'command', 'command|count', 'command|docs', 'command|info', 'command|list', 'role', 'lolwut', 'memory|stats',
        'memory|doctor', 'memory|usage', 'memory|purge', 'memory|malloc-stats', 'latency|doctor', 'latency|graph', 'latency|histogram', 'latency|history', 'latency|latest',
        'latency|reset', 'slowlog|get', 'slowlog|len', 'slowlog|reset', 'cluster', 'cluster|addslots', 'cluster|countkeysinslot', 'cluster|info', 'cluster|keyslot',
        'cluster|myid', 'cluster|nodes', 'cluster|shards', 'cluster|slots', 'cluster|links', 'cluster|replicas', 'cluster|slaves', 'object|idletime', 'object|freq',
        'publish', 'spublish', 'pubsub|channels', 'pubsub|numpat', 'pubsub|numsub', 'pubsub|shardchannels', 'pubsub|shardnumsub', 'acl|log', 'acl|list',
        'acl|users', 'acl|whoami', 'acl|cat', 'acl|genpass', 'acl|getuser', 'acl|dryrun', 'readonly', 'readwrite', 'asking', 'restore-asking', 'pfdebug', 'pfselftest',
        'client|id', 'client|info', 'client|list', 'client|setinfo'],
    'it runs code, with an own test': ['eval', 'evalsha', 'eval_ro', 'evalsha_ro', 'fcall', 'fcall_ro', 'function|load', 'function|restore',
        'function|dump', 'function|flush', 'function|kill', 'function|delete', 'function|stats', 'script|kill', 'script|debug', 'script|flush', 'script|load'],
    'its text names what each server has': ['config|help', 'debug|help', 'client|help', 'command|help', 'memory|help', 'module|help', 'acl|help', 'xinfo|help'],
};
const why_left_out = new Map(Object.entries(left_out).flatMap(([why, names]) => names.map((name) => [name, why])));
const counting_down = new Set(['ttl', 'pttl', 'expiretime', 'pexpiretime']);
const SLACK_MS = 60000;
/* Drawn, but seldom: the data is gone or elsewhere afterwards. */
const seldom = {flushall: 0.02, flushdb: 0.05, swapdb: 0.1, select: 0.1, multi: 0.3};

const explained = [
    {name: /^geo(search|radius)/, why: 'COUNT among points that are equally far',
        test: (ours, theirs, words) => has(words, 'count') && ours[0] === '*' && shape(parse(ours)) === shape(parse(theirs)) &&
            (!has(words, 'withdist') || has(words, 'any') || distances(ours) === distances(theirs))},
    {name: /^geosearchstore$/, why: 'an error names the command in lower case',
        test: (ours, theirs) => ours[0] === '-' && ours.toLowerCase() === theirs.toLowerCase()},
    {name: /^sort/, why: 'SORT: Redis leaves the order open (texts that compare equal, a set that is not sorted)',
        test: (ours, theirs, words) => sort_is_open(words, ours + theirs) && ours[0] === '*' && (has(words, 'limit') ?
            shape(parse(ours)) === shape(parse(theirs)) : sorted(parse(ours)) === sorted(parse(theirs)))},
    {name: /^z.*lex|^zrange$/, why: 'ranges by lex of a set with different scores: unspecified, says Redis',
        test: (ours, theirs, words) => (words[0].toLowerCase() !== 'zrange' || has(words, 'bylex')) && !of_one_score.has(words[1]) &&
            ours[0] === theirs[0] && '*:'.includes(ours[0])},
    {name: /^lcs$/, why: 'LCS of long strings is refused above 64 MiB of transient memory, in Redis above 512 MB',
        test: (ours) => ours === '-ERR Insufficient memory, transient memory for LCS exceeds 64 MiB\r\n'},
    {name: /^lpos$/, why: 'LPOS refuses the one RANK that has no negative; Redis takes it',
        test: (ours, theirs, words) => words.includes('-9223372036854775808') && /^-ERR value is out of range, value must between -9223372036854775807/.test(ours)},
];

/* ---- chance ---- */
let state;
function random() { // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const choose = (list) => list[below(list.length)];

/* ---- a connection ---- */
/* Bytes of one reply at `at`; -1: not all there. */
function reply_end(bytes, at) {
    const cr = bytes.indexOf(13, at);
    if (cr < 0 || cr + 1 >= bytes.length) return -1;
    const mark = bytes[at];
    const next = cr + 2;
    if ('+-:_,#('.includes(String.fromCharCode(mark))) return next;
    const n = Number(bytes.toString('latin1', at + 1, cr));
    if (mark === 36 || mark === 61 || mark === 33) { // $ = !
        const end = n < 0 ? next : next + n + 2;
        return end <= bytes.length ? end : -1;
    }
    if (mark !== 42 && mark !== 37 && mark !== 126 && mark !== 62 && mark !== 124) fail(`no reply: ${bytes.toString('latin1', at, at + 60)}`);
    let left = mark === 37 || mark === 124 ? 2 * n : n;
    let end = next;
    if (mark === 124) left++; // the reply that an attribute speaks of
    for (; left > 0; left--) {
        end = reply_end(bytes, end);
        if (end < 0) return -1;
    }
    return end;
}

class Connection {
    constructor(port) {
        this.bytes = Buffer.alloc(0);
        this.socket = net.connect(port, '127.0.0.1');
        this.socket.setNoDelay(true);
        this.socket.on('data', (data) => {
            this.bytes = this.bytes.length > 0 ? Buffer.concat([this.bytes, data]) : data;
            this.take();
        });
        this.socket.on('close', () => { if (!this.is_closed) fail(`the server on port ${port} closed the connection`); });
        this.socket.on('error', (error) => fail(`port ${port}: ${error.message}`));
    }
    take() {
        let at = 0;
        while (this.want > this.replies.length) {
            const end = reply_end(this.bytes, at);
            if (end < 0) break;
            this.replies.push(this.bytes.toString('latin1', at, end));
            at = end;
        }
        this.bytes = this.bytes.subarray(at);
        if (this.want > 0 && this.want === this.replies.length) {
            this.want = 0;
            this.done(this.replies);
        }
    }
    /* Sends commands (arrays of latin1 strings); all their replies. */
    run(commands) {
        this.replies = [];
        this.want = commands.length;
        return new Promise((done) => {
            this.done = done;
            this.socket.write(Buffer.from(commands.map(encode).join(''), 'latin1'));
        });
    }
    close() {
        this.is_closed = true;
        this.socket.destroy();
    }
}
const encode = (words) => `*${words.length}\r\n` + words.map((w) => `$${w.length}\r\n${w}\r\n`).join('');

/* A reply as values: strings with their mark, arrays. */
function parse(text) {
    const bytes = Buffer.from(text, 'latin1');
    let at = 0;
    const one = () => {
        const cr = bytes.indexOf(13, at);
        const mark = String.fromCharCode(bytes[at]);
        const head = bytes.toString('latin1', at + 1, cr);
        at = cr + 2;
        if ('$=!'.includes(mark)) {
            if (Number(head) < 0) return '_';
            const value = bytes.toString('latin1', at, at + Number(head));
            at += Number(head) + 2;
            return mark + value;
        }
        if ('*%~>'.includes(mark)) {
            const n = Number(head) * (mark === '%' ? 2 : 1);
            if (n < 0) return '_';
            const list = [];
            for (let i = 0; i < n; i++) list.push(one());
            list.mark = mark;
            return list;
        }
        return mark + head;
    };
    return one();
}
const plain = (value) => (Array.isArray(value) ? value.map(plain) : value.slice(1));

/* ---- the commands there are ---- */
/* In RESP2 a map is a flat list. */
function as_map(list) {
    const map = {};
    for (let i = 0; i + 1 < list.length; i += 2) map[list[i]] = list[i + 1];
    return map;
}
function as_arguments(list) {
    return (list || []).map((one) => {
        const map = as_map(one);
        return {name: map.name, type: map.type, token: map.token, flags: map.flags || [], arguments: as_arguments(map.arguments)};
    });
}
async function all_commands(coracle, redis) {
    const [list] = await coracle.run([['COMMAND', 'LIST']]);
    const ours = new Set(plain(parse(list)));
    const [docs] = await redis.run([['COMMAND', 'DOCS']]);
    const commands = [];
    const missing = new Map();
    const add = async (name, map) => {
        if (map.subcommands) {
            const subs = as_map(map.subcommands);
            for (const sub of Object.keys(subs).sort()) await add(sub, as_map(subs[sub]));
            return;
        }
        if (!ours.has(name)) return;
        if (why_left_out.has(name) || (name.includes('|') && why_left_out.has(name.split('|')[0]))) {
            const why = why_left_out.get(name) || why_left_out.get(name.split('|')[0]);
            missing.set(why, [...(missing.get(why) || []), name]);
            return;
        }
        const [info] = await redis.run([['COMMAND', 'INFO', name]]);
        const tips = plain(parse(info))[0][7];
        commands.push({name, words: name.split('|'), tips: new Set(tips), arguments: as_arguments(map.arguments), count: 0, errors: 0});
    };
    const tree = as_map(plain(parse(docs)));
    for (const name of Object.keys(tree).sort()) await add(name, as_map(tree[name]));
    const unknown = [...ours].filter((name) => !tree[name.split('|')[0]]);
    return {commands, missing, unknown};
}

/* ---- arguments ---- */
const keys = ['a', 'b', 'c', 'd', 'e', 'n1', 'n2', 'list', 'set', 'zset', 'hash', 'stream', '', 'key with blanks', 'nul\0key'];
const integers = ['0', '1', '-1', '2', '10', '9223372036854775807', '-9223372036854775808', '9223372036854775806', '4611686018427387904'];
const no_integers = ['', ' 1', '1 ', '+1', '01', '-0', '1.0', 'abc', '0x10', '1e3', '9223372036854775808', '-9223372036854775809', '--1', '-'];
const doubles = ['0', '1', '-1', '1.5', '-2.25', '3.0e2', '1e-5', 'inf', '-inf', '+inf', '0.1', '123456789.123', '1e17', '5e-324', '1.7976931348623157e308'];
const no_doubles = ['', 'nan', 'abc', ' 1', '1 ', '1e', '0x1p', '1e400', '--1'];
const values = [...integers, ...no_integers, 'value', 'v2', '\0\r\n\xff\x80', 'x'.repeat(100), 'ohmytext', 'mynewtext', '1.5', '3.14159'];
const elements = ['a', 'b', 'c', 'd', '1', '2', '3', '-5', '', 'x'.repeat(70), '\0\xff'];
const far = ['100000', '3000000000', '-1', '0', '9223372036854775807', '-9223372036854775808', 'abc', '9223372036854776', '1.5'];
const far_ms = ['100000000', '3000000000000', '-1', '0', '9223372036854775807', 'abc', ''];
const counts = ['0', '1', '2', '3', '10', '1000', '-1', '-2', '-10', 'abc', '', '1.5'];
const places = ['0', '1', '2', '5', '-1', '-2', '-100', '100', '9223372036854775807', '-9223372036854775808', 'abc'];
const ranges = ['0', '-1', '1', '(1', '[a', '[c', '(b', '-', '+', '-inf', '+inf', '(5', '3', 'abc', '1.5', '(inf'];
const spots = (max) => Array.from({length: 100}, (_, i) => String((((i * 7919) % 997) / 498.5 - 1) * max));
const by_name = {
    seconds: far, milliseconds: far_ms, 'unix-time-seconds': ['9999999999', '1', '0', '-1', '9223372036854775807', 'abc'],
    'unix-time-milliseconds': ['9999999999999', '1', '0', '-1', '9223372036854775807', 'abc'],
    /* Not the largest: RESTORE refuses a TTL that can't be added to the time, where Redis lets the sum wrap and the key be gone. */
    ttl: ['100000000', '3000000000000', '-1', '0', '0', 'abc', ''],
    count: counts, 'num-matches': counts, limit: counts, rank: [...counts, '-9223372036854775808'],
    offset: ['0', '1', '7', '8', '63', '100', '5000', '-1', '#1', '#3', 'abc', '4294967296', '9223372036854775807', ''],
    encoding: ['u8', 'i8', 'u63', 'u64', 'i64', 'i65', 'i5', 'u1', 'u0', 'i0', 'abc', ''],
    bit: ['0', '1', '2', '-1', 'abc'], start: [...places, ...ranges], stop: [...places, ...ranges], end: [...places, ...ranges], min: ranges, max: ranges,
    index: places, index1: ['0', '1', '2', '15', '16', '-1', 'abc'], index2: ['0', '1', '2', '15', '16', '-1', 'abc'],
    db: ['0', '1', '2', '15', '16', '-1', 'abc'], 'destination-db': ['0', '1', '2', '15', '16', '-1', 'abc'],
    cursor: ['0', '0', '0', '1', 'abc', '-1', '18446744073709551616', ''], element: elements, member: elements, field: elements, pivot: elements,
    member1: elements, member2: elements, consumer: ['alice', 'bob'], group: ['g', 'h'], groupname: ['g', 'h'],
    id: ['0', '1-1', '5-0', '3', '0-0', '-', '+', '$', 'abc', '18446744073709551615-18446744073709551615'], operation: ['AND', 'or', 'XOR', 'NOT', 'nand'],
    type: ['string', 'list', 'SET', 'zset', 'hash', 'stream', 'abc'], pattern: ['*', '?', 'a*', '[a-c]', '[^a]', '\\a', '', 'a[', 'n\\1', '*1', 'key*s'],
    value: values, len: [...counts, '4'], longitude: [...spots(170), '180', '181', '-181', 'abc', '0'], latitude: [...spots(84), '85.05112878', '86', '-86', 'abc', '0'],
    width: ['100', '1000', '20000', '-1', 'abc', '0'], height: ['100', '1000', '20000', '-1', 'abc', '0'],
    radius: ['0', '100', '1000', '-1', 'abc', '200000'], 'min-match-len': counts, message: values, 'connection-name': ['me', '', 'two words', 'a\nb'],
};
let payloads = [];

/* Sorted sets whose members have one score: what ranges by lex are for. */
const of_one_score = new Set(['lex1', 'lex2']);
const of_one_score_for = new Set(['zadd', 'zrem', 'zcard', 'zscore', 'zrank', 'zrevrank', 'zrange', 'zrangebylex', 'zrevrangebylex', 'zlexcount',
    'zremrangebylex', 'zremrangebyrank', 'zpopmin', 'zpopmax', 'zrangestore', 'del', 'type', 'exists', 'object|encoding', 'zmscore']);
/* HyperLogLogs whose bytes nobody looks at: PFCOUNT writes its result into them in Redis, here it is a read. */
const counted = new Set(['pf1', 'pf2']);
const counted_for = new Set(['pfadd', 'pfcount', 'pfmerge', 'del', 'unlink', 'exists', 'type', 'touch', 'strlen']);

function key_for(command) {
    if (of_one_score_for.has(command.name) && random() < (command.name.includes('lex') ? 0.7 : 0.2)) return choose([...of_one_score]);
    if (counted_for.has(command.name) && random() < (command.name.startsWith('pf') ? 0.5 : 0.1)) return choose([...counted]);
    return choose(keys);
}

let drawn; // the command whose arguments are made
function value_of(argument) {
    if (argument.name === 'serialized-value') {
        const payload = payloads.length > 0 && random() < 0.8 ? choose(payloads) : choose(['', 'abc', '\0\x01a\x0a\0........']);
        return random() < 0.1 && payload.length > 2 ? payload.slice(0, -1) : payload;
    }
    if (argument.type === 'key') return key_for(drawn);
    if (by_name[argument.name]) return choose(by_name[argument.name]);
    if (argument.type === 'double') return random() < 0.85 ? choose(doubles) : choose(no_doubles);
    if (argument.type === 'integer' || argument.type === 'unix-time') return random() < 0.8 ? choose(integers) : choose(no_integers);
    return choose(values);
}

function add_argument(words, argument) {
    if (argument.flags.includes('optional') && random() < 0.6) return;
    const times = argument.flags.includes('multiple') ? 1 + below(3) : 1;
    for (let i = 0; i < times; i++) {
        if (argument.token !== undefined && (i === 0 || argument.flags.includes('multiple_token'))) {
            words.push(random() < 0.5 ? argument.token : argument.token.toLowerCase());
        }
        if (argument.type === 'oneof') {
            add_argument(words, choose(argument.arguments));
        } else if (argument.type === 'block') {
            add_all(words, argument.arguments);
        } else if (argument.type !== 'pure-token') {
            words.push(argument.name === 'numkeys' ? '\u0001' : value_of(argument));
        }
    }
}
function add_all(words, list) {
    for (const argument of list) {
        const at = words.length;
        add_argument(words, argument);
        const numkeys = words.indexOf('\u0001');
        if (numkeys >= 0 && argument.type === 'key') { // how many follow, or something else
            words[numkeys] = random() < 0.85 ? String(words.length - at) : choose(counts);
        }
    }
    const left = words.indexOf('\u0001');
    if (left >= 0) words[left] = choose(counts);
}

function spoil(words, fixed) {
    const at = fixed + below(Math.max(1, words.length - fixed));
    switch (below(5)) {
    case 0: words.splice(at, 1); break;
    case 1: words.splice(at, 0, words[at] === undefined ? 'x' : words[at]); break;
    case 2: words.push(choose(values)); break;
    case 3: if (at < words.length) words[at] = choose([...values, 'NX', 'GET', 'COUNT', 'WITHSCORES']); break;
    default: words.length = Math.max(fixed, at);
    }
    if (words.length < fixed) words.length = fixed;
}

const has = (words, option) => words.slice(1).some((word) => word.toLowerCase() === option);

/* Makes arguments such that one thing alone can follow. */
function tame(command, words) {
    /* A time that ends while the test runs ends at different commands of the two servers; and a SET with one that has ended
     * leaves Redis a key that DBSIZE counts until it is met. */
    const ttl_at = {expire: 2, pexpire: 2, setex: 2, psetex: 2, restore: 2}[command.name];
    words.forEach((word, at) => {
        const option = at > 2 && ['set', 'getex'].includes(command.name) ? words[at - 1].toLowerCase() : '';
        const is_date = option === 'exat' || option === 'pxat' || (command.name === 'restore' && has(words, 'absttl'));
        if (at !== ttl_at && !is_date && option !== 'ex' && option !== 'px') return;
        if (Number(word) > 1e15 && command.name === 'restore') words[at] = '100000000'; // docs/COMMANDS.md: a sum that wraps
        if (/^\d+$/.test(word) && Number(word) > 0 && Number(word) < 100000) words[at] = is_date ? '9999999999999' : '100000000';
    });
    /* Whether a TTL is greater than one of the same length is up to the time between the two commands. */
    if (['expire', 'pexpire'].includes(command.name) && (has(words, 'gt') || has(words, 'lt')) && /^[1-9]\d{5,14}$/.test(words[2])) {
        words[2] = String(Number(words[2]) + (1 + below(50)) * (command.name === 'expire' ? SLACK_MS / 100 : 10 * SLACK_MS));
    }
    if (command.name === 'lpos' && in_transaction) words = words.map((word) => (word === '-9223372036854775808' ? '-1' : word)); // explained
    /* A range by lex of different scores is unspecified; what is removed or stored must not depend on it. */
    const is_stored_lex = command.name === 'zrangestore' && has(words, 'bylex');
    if (command.name === 'zremrangebylex' && words.length > 1) words[1] = choose([...of_one_score]);
    if (is_stored_lex && words.length > 2) [words[1], words[2]] = ['zset', choose([...of_one_score])];
    if (command.name === 'zrangestore' && of_one_score.has(words[1])) words[1] = 'zset';
    if (command.name === 'zadd' && of_one_score.has(words[1])) words.splice(2, words.length, '0', choose(elements), '0', choose(elements));
    /* Of points that are equally far COUNT chooses one or the other: nothing to be stored. */
    const count = words.findIndex((word) => /^count$/i.test(word));
    if (/^geo(search|radius)/.test(command.name) && words.some((word) => /store/i.test(word)) && count > 0) words.splice(count, 2);
    if (command.name === 'pfcount' && words.length === 2) words[1] = choose([...counted]);
    /* Which of two equal texts comes first Redis leaves open; STORE would keep it. */
    if (command.name === 'sort' && has(words, 'store') && has(words, 'by')) {
        for (let at = words.length - 1; at > 1; at--) if (words[at].toLowerCase() === 'alpha') words.splice(at, 1);
    }
    return words;
}

function sort_is_open(words, replies) {
    const by = words.findIndex((word) => word.toLowerCase() === 'by');
    if (by > 0 && !(words[by + 1] || '').split('\0')[0].includes('*')) return true; // not sorted: as a set has it
    return has(words, 'alpha') && (by > 0 || has(words, 'get') || replies.includes('\0')); // strcoll ends at a zero byte
}

/* SORT's numbers are refused in Redis if errno says so from before; reading a double clears it. And SORT itself leaves it so when it
 * turns a small sorted set into a large one and meets a score that is no normal number (5e-324): so that is done before. */
const before_sort = (key) => [['SORT_RO', key, 'ALPHA', 'LIMIT', '0', '0'], ['ZUNION', '1', 'nothing', 'WEIGHTS', '1']];

function make(command) {
    drawn = command;
    const words = [...command.words];
    if (random() < 0.2) words[0] = words[0].toUpperCase();
    add_all(words, command.arguments);
    const is_whole = command.name === 'zadd' && of_one_score.has(words[1]);
    if (!is_whole && random() < 0.125) spoil(words, command.words.length);
    return tame(command, words);
}

/* ---- comparing ---- */
const shape = (value) => (Array.isArray(value) ? value.mark + value.length : value[0]);
/* As a set: the elements in any order, and where they are pairs (a map, or a flat list of one) the pairs. */
function sorted(value) {
    if (!Array.isArray(value)) return JSON.stringify(value);
    return value.mark + JSON.stringify(value.map((one) => sorted(one)).sort());
}

/* Of an answer WITHDIST: second behind each member. */
const distances = (text) => JSON.stringify(parse(text).map((one) => one[1]));

const differences = new Map(); // reason -> count
function same(command, words, ours, theirs) {
    if (ours === theirs) return true;
    for (const one of explained) {
        if (one.name.test(command.name) && one.test(ours, theirs, words)) {
            differences.set(one.why, (differences.get(one.why) || 0) + 1);
            return true;
        }
    }
    if (counting_down.has(command.name) && ours[0] === ':' && theirs[0] === ':') {
        const unit = command.name[0] === 'p' ? 1 : 1000;
        return Math.abs(Number(ours.slice(1)) - Number(theirs.slice(1))) * unit <= SLACK_MS && Number(ours.slice(1)) > 0 && Number(theirs.slice(1)) > 0;
    }
    if (command.tips.has('nondeterministic_output')) return shape(parse(ours)) === shape(parse(theirs)) || command.name.includes('scan') && ours[0] === '*' && theirs[0] === '*';
    if (command.tips.has('nondeterministic_output_order')) return sorted(parse(ours)) === sorted(parse(theirs));
    return false;
}

/* ---- the run ---- */
const BATCH = 200;
const FRESH_EVERY = 20000; // at most: new connections, empty data, the other protocol
let in_transaction = false;
let is_watching = false;

function draw(commands) {
    for (;;) {
        const command = choose(commands);
        if (seldom[command.name] !== undefined && random() > seldom[command.name]) continue;
        /* Inside a transaction only what is equal byte by byte: EXEC's reply is one. */
        /* A watched key that is absent seems created when one of its name is in another database (docs/COMMANDS.md, WATCH). */
        if (is_watching && ['select', 'swapdb', 'move', 'copy'].includes(command.name)) continue;
        if (in_transaction && (counting_down.has(command.name) || command.tips.size > 0)) continue;
        return command;
    }
}

function next_command(commands) {
    if (in_transaction && random() < 0.2) {
        in_transaction = is_watching = false;
        return [commands.find((one) => one.name === 'exec'), ['EXEC']];
    }
    const command = draw(commands);
    const words = make(command);
    if (command.name === 'watch' && !in_transaction) is_watching = true;
    if (words.length === 1 && command.name === 'multi') in_transaction = true;
    if (words.length === 1 && (command.name === 'exec' || command.name === 'discard') && in_transaction) in_transaction = is_watching = false;
    return [command, words];
}

async function run(ports, total, seed) {
    const started = Date.now();
    state = seed;
    let pair = ports.map((port) => new Connection(port));
    const {commands, missing, unknown} = await all_commands(pair[0], pair[1]);
    const fresh_every = Math.min(FRESH_EVERY, Math.ceil(total / 2 / BATCH) * BATCH);
    const spoken = [0, 0]; // commands in RESP2, in RESP3
    let done = 0;
    let bad = 0;
    for (let part = 0; done < total; part++) {
        pair.forEach((one) => one.close());
        pair = ports.map((port) => new Connection(port));
        in_transaction = is_watching = false;
        await Promise.all(pair.map((one) => one.run([['FLUSHALL'], ...(part % 2 ? [['HELLO', '3']] : [])])));
        for (let i = 0; i < fresh_every && done < total; i += BATCH) {
            const batch = [];
            while (batch.length < Math.min(BATCH, total - done)) {
                const next = next_command(commands);
                if (next[0].name.startsWith('sort') && next[1].length > 1) {
                    for (const words of before_sort(next[1][1])) batch.push([commands.find((one) => one.name === words[0].toLowerCase()), words]);
                }
                batch.push(next);
            }
            const replies = await Promise.all(pair.map((one) => one.run(batch.map(([, words]) => words))));
            batch.forEach(([command, words], k) => {
                const [ours, theirs] = [replies[0][k], replies[1][k]];
                done++;
                spoken[part % 2]++;
                command.count++;
                command.errors += theirs[0] === '-' ? 1 : 0;
                if (command.name === 'dump' && theirs[0] === '$' && ours[0] === '$' && theirs.length > 20) {
                    payloads.push(parse(random() < 0.5 ? theirs : ours).slice(1));
                    if (payloads.length > 200) payloads = payloads.slice(100);
                }
                if (!same(command, words, ours, theirs)) {
                    bad++;
                    if (bad <= 20) {
                        say(`differs: RESP${part % 2 ? 3 : 2} ${JSON.stringify(words).slice(0, 300)}: coracle ${JSON.stringify(ours).slice(0, 300)}, redis ${JSON.stringify(theirs).slice(0, 300)}`);
                    }
                }
            });
        }
    }
    pair.forEach((one) => one.close());
    const never = commands.filter((one) => one.count === 0).map((one) => one.name);
    const only_errors = commands.filter((one) => one.count > 50 && one.errors === one.count).map((one) => one.name);
    const seconds = ((Date.now() - started) / 1000).toFixed(0);
    say(`note ${done} commands (${spoken[0]} in RESP2, ${spoken[1]} in RESP3) of ${commands.length} kinds in ${seconds} s, seed ${seed}: ${bad} unexplained differences`);
    for (const [why, count] of differences) say(`note explained: ${count} x ${why}`);
    for (const [why, names] of missing) say(`note left out, ${why}: ${names.join(' ')}`);
    if (unknown.length > 0) say(`note left out, not Redis 7.0's: ${unknown.join(' ')}`);
    if (never.length > 0 && total >= 20000) fail(`never drawn: ${never.join(' ')}`);
    if (only_errors.length > 0) say(`note answered with errors alone: ${only_errors.join(' ')}`);
    process.exit(bad > 0 ? 1 : 0);
}

run([Number(process.argv[2]), Number(process.argv[3])], Number(process.argv[4]), Number(process.argv[5])).catch((error) => fail(error.stack));
