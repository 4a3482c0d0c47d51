'use strict';
/* What scripts of this folder share. integration/lib/script.h starts them and talks to them in lines: a script prints
 * what it has reached (say) and waits for an answer where the test has to do something first (ask). A script that ends
 * with status 0 has passed. */
const readline = require('readline');

const waiting = [];
const lines = [];
readline.createInterface({input: process.stdin}).on('line', (line) => {
    const resolve = waiting.shift();
    resolve ? resolve(line) : lines.push(line);
});

function say(text) {
    console.log(text);
}

function ask(text) {
    say(text);
    return lines.length > 0 ? Promise.resolve(lines.shift()) : new Promise((resolve) => waiting.push(resolve));
}

function fail(text) {
    console.error(text);
    process.exit(1);
}

/* `main` gets the ports of the command line. */
function run(main) {
    main(...process.argv.slice(2).map(Number)).then(
        () => process.exit(0),
        (error) => fail(error.stack),
    );
}

module.exports = {say, ask, fail, run};
