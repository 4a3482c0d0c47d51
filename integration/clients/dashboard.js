'use strict';
/* The dashboard in headless Chromium: it loads, follows a fail-over live, its buttons and its key browser work, it is usable by
 * keyboard and on a phone. The first port is the page's node, which does not lead, the fourth a blank node's.
 * DASHBOARD_SHOTS=folder keeps pictures. */
const {chromium} = require('playwright-core');
const {say, ask, run} = require('./harness');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

run(async (page1, leader, other, fresh) => {
    const home = `http://127.0.0.1:${page1}`;
    const browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--headless=new']});
    const wrong = [];
    const open = async (scheme, width, height) => {
        const context = await browser.newContext({colorScheme: scheme, viewport: {width, height}});
        const page = await context.newPage();
        page.on('pageerror', (e) => wrong.push(e.message));
        page.on('console', (m) => m.type() === 'error' && !/WebSocket|ERR_CONNECTION|status of (400|503)/.test(m.text()) && wrong.push(m.text()));
        await page.goto(home);
        return page;
    };
    const shot = (page, name) => process.env.DASHBOARD_SHOTS && page.screenshot({path: `${process.env.DASHBOARD_SHOTS}/${name}.png`, fullPage: true});
    const until = async (what, fn) => {
        for (const end = Date.now() + 30000; Date.now() < end; await sleep(100)) {
            if (await fn()) return;
        }
        throw new Error(`not seen within 30 s: ${what}; health "${await text(page, '#health-text')}", last said "${await text(page, '#toast')}"`);
    };
    const text = (page, id) => page.textContent(id);
    const row = (page, port) => page.locator(`tr[data-address="127.0.0.1:${port}"]`);

    const page = await open('dark', 1280, 900);
    await until('all healthy', async () => /All 3 nodes healthy/.test(await text(page, '#health-text')));
    const leads = async () => Number((await text(page, '#t-leader')).split(':')[1]);
    if (![page1, leader, other].includes(await leads())) throw new Error(`leader: ${await text(page, '#t-leader')}`);
    const origin = await page.evaluate(() => performance.getEntriesByType('resource').map((r) => new URL(r.name).host).filter((h) => h && h !== location.host));
    if (origin.length) throw new Error(`assets from elsewhere: ${origin}`);

    /* The key browser. */
    await fetch(`${home}/v1/pipeline`, {method: 'POST', headers: {'Content-Type': 'application/json'},
        body: JSON.stringify([['SET', 'user:1', '{"name":"Ada"}', 'EX', 1000], ['RPUSH', 'user:list', 'a', 'b'], ['SET', '<img src=x onerror=alert(1)>', 'x']])});
    await page.fill('#pattern', '*');
    await page.keyboard.press('Enter');
    await until('three keys', async () => (await page.locator('#key-rows tr').count()) === 3);
    await page.locator('#key-rows button', {hasText: 'user:1'}).click();
    await until('the value', async () => /"name": "Ada"/.test(await text(page, '#value')));
    await until('commits', async () => Number((await text(page, '#t-commit')).replace(/\D/g, '')) > 3);
    await shot(page, 'dark');

    /* The leader dies. On a busy machine it may be another one by now, but it is not the page's node. */
    let dead = 0;
    await until('a leader that is not the page\'s node', async () => {
        dead = await leads();
        if (dead > 0 && dead !== page1) return true;
        if (dead === page1) await fetch(`${home}/v1/cluster/transfer`, {method: 'POST', headers: {'Content-Type': 'application/json'},
            body: JSON.stringify({address: `127.0.0.1:${leader}`})});
        return false;
    });
    const term = Number(await text(page, '#t-term'));
    await ask(`kill ${dead}`);
    await until('a new leader', async () => {
        const now = await leads();
        return now !== dead && now > 0 && Number(await text(page, '#t-term')) > term;
    });
    await until('2 of 3', async () => /2 of 3 nodes answer/.test(await text(page, '#health-text')));
    await until('the event', async () => /leads in term/.test(await text(page, '#log')));
    await shot(page, 'failover');
    await ask('start it again');
    await until('all healthy again', async () => /All 3 nodes healthy/.test(await text(page, '#health-text')));

    /* Move the leader: asked first, cancelled once, then done. */
    const target = (await text(page, '#t-leader')) === `127.0.0.1:${other}` ? page1 : other;
    const button = row(page, target).getByRole('button', {name: 'Make leader'});
    await button.focus();
    /* News comes all the time: it does not take the focus from who works by keyboard. */
    const table = () => page.locator('#node-rows').innerText(), before = await table();
    await until('news', async () => (await table()) !== before);
    if (!await button.evaluate((b) => b === document.activeElement)) throw new Error('the table took the focus from its button');
    await page.keyboard.press('Enter');
    await until('the question', () => page.locator('#ask').isVisible());
    await page.keyboard.press('Escape');
    await until('no question', async () => !(await page.locator('#ask').isVisible()));
    await button.click();
    await page.click('#ask-yes');
    await until('the leader moved', async () => (await text(page, '#t-leader')) === `127.0.0.1:${target}`);

    /* Test mode: fail a node and bring it back. */
    const victim = [page1, leader, other].find((p) => p !== target && p !== page1);
    /* The page's node may not have heard yet of a node that just came back: then it says so, and one presses again. */
    const press = async (name, health) => {
        const button = row(page, victim).getByRole('button', {name});
        for (let i = 0; i < 50 && !health.test(await text(page, '#health-text')); i++) {
            /* It goes as soon as the page hears that it is done: then there is nothing to press. */
            if (await button.isVisible()) await button.click({timeout: 1000}).catch(() => {});
            if (await page.locator('#ask').isVisible()) await page.click('#ask-yes');
            await sleep(400);
        }
        await until(name, async () => health.test(await text(page, '#health-text')));
    };
    await press('Fail', /2 of 3 nodes answer/);
    await press('Recover', /All 3 nodes healthy/);

    /* Grow and shrink, by keyboard: what can't be done is told in words; the new node comes, and goes. */
    await page.fill('#add-address', `127.0.0.1:${leader}`);
    await page.keyboard.press('Enter');
    await page.click('#ask-yes');
    await until('why not', async () => /^Node .* already exists/.test(await text(page, '#toast')));
    await page.fill('#add-address', `127.0.0.1:${fresh}`);
    await page.keyboard.press('Enter');
    await until('the question', () => page.locator('#ask').isVisible());
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await until('four nodes', async () => /All 4 nodes healthy/.test(await text(page, '#health-text')));
    await until('the event', async () => /Membership: ADD [^ ]+: done/.test(await text(page, '#log')));
    await until('its own figures', async () => /iB/.test(await row(page, fresh).locator('td[data-name="Memory"]').innerText()));
    await shot(page, 'grown');
    await row(page, fresh).getByRole('button', {name: 'Remove'}).click();
    if (!(await text(page, '#ask-title')).includes(`127.0.0.1:${fresh}`)) throw new Error('the question does not name the node');
    await page.click('#ask-yes');
    await until('three nodes', async () => /All 3 nodes healthy/.test(await text(page, '#health-text')) && (await row(page, fresh).count()) === 0);

    /* Light, and a phone: nothing sticks out. */
    const light = await open('light', 1280, 900);
    await until('light', async () => /healthy/.test(await text(light, '#health-text')));
    await shot(light, 'light');
    const phone = await open('dark', 390, 844);
    await until('phone', async () => /healthy/.test(await text(phone, '#health-text')));
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) throw new Error(`the page is ${wide} px wider than a phone`);
    await shot(phone, 'phone');
    await browser.close();
    if (wrong.length) throw new Error(`the page complained: ${wrong.join('; ')}`);
    say('note the dashboard followed the cluster');
});
