'use strict';
/* Writes docs/COMMANDS.md's text: node docs/commands.js < JSON of COMMAND DOCS. Called by docs/generate. */
const fs = require('fs');
const docs = JSON.parse(fs.readFileSync(0, 'utf8'));
const differs = new Map(fs.readFileSync('docs/differences.tsv', 'utf8').split('\n')
    .filter((line) => line && !line.startsWith('#')).map((line) => line.split('\t')));

/* One argument of the tree as redis-cli's hints have it. */
function syntax(one) {
    const flags = one.flags || [];
    const inner = one.arguments || [];
    let text = one.type === 'oneof' ? inner.map(syntax).join(' | ') : one.type === 'block' ? inner.map(syntax).join(' ')
        : one.type === 'pure-token' ? '' : one.display_text || one.name;
    if (one.type === 'oneof' && !flags.includes('optional') && inner.length > 1) text = `<${text}>`;
    const token = one.token === '' ? '""' : one.token;
    text = [token, text].filter(Boolean).join(' ');
    if (flags.includes('multiple')) text += flags.includes('multiple_token') || !token ? ` [${text} ...]` : ` [${one.name} ...]`;
    return flags.includes('optional') ? `[${text}]` : text;
}

const groups = new Map();
function add(name, map) {
    if (map.subcommands) {
        for (const sub of Object.keys(map.subcommands).sort()) add(sub, map.subcommands[sub]);
        return;
    }
    const list = groups.get(map.group) || [];
    groups.set(map.group, [...list, {name, map}]);
}
for (const name of Object.keys(docs).sort()) add(name, docs[name]);

console.log(`# Every command

Made by \`make docs\` from what the program says of itself (COMMAND DOCS) and from \`docs/differences.tsv\`; do not edit. "since" is the version of Redis that
brought the command; what is coracle's own says so. Where nothing else is said a command takes the options, and gives the replies and errors, of Redis 7.0, in RESP2 and RESP3;
\`make differential\` and \`make conformance\` compare them.
`);
const used = new Set();
for (const group of [...groups.keys()].sort()) {
    console.log(`\n## ${group}\n`);
    for (const {name, map} of groups.get(group)) {
        const words = name.toUpperCase().replace('|', ' ');
        const is_own = /^(raft|changes|delex|idel|iget|iset|jsoncas|lreplace)/.test(name);
        const container = name.split('|')[0];
        const difference = differs.get(name) || (container !== name && differs.get(container));
        used.add(differs.has(name) ? name : container);
        console.log(`### ${words}\n\n\`${[words, ...(map.arguments || []).map(syntax)].join(' ')}\`\n\n${map.summary.replace(/\.?$/, '.')}\n`);
        const facts = [is_own ? 'Coracle\'s own.' : `Since ${map.since}.`, map.complexity ? `Complexity: ${map.complexity.replace(/\.?$/, '.')}` : ''];
        console.log(facts.filter(Boolean).join(' ') + '\n');
        for (const [version, what] of map.history || []) console.log(`- ${version}: ${what}`);
        if ((map.history || []).length > 0) console.log('');
        if (difference) console.log(`**Differs from Redis:** ${difference}\n`);
    }
}
const unknown = [...differs.keys()].filter((name) => !used.has(name));
if (unknown.length > 0) {
    console.error(`docs/differences.tsv: no such command: ${unknown.join(' ')}`);
    process.exit(1);
}
