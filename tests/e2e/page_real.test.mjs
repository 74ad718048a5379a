// SPDX-License-Identifier: Apache-2.0
// The page against a real server: the same tests as against the mock, and the figures of an imported access log.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { command, repository, Server, waitFor } from './harness.mjs';
import { launch } from './browser.mjs';

const log = join(repository, '../shared/data/weblog/access-1.log');
const server = await Server.start({ tenants: ['main', 'weblog'] });
const { code, stderr } = await command(['demo', 'traffic', '--server', server.url, '--key', server.tenants.main.write_key, '--events', '5000']);
assert.equal(code, 0, stderr);
after(() => server.remove());

process.env.MILLRACE_URL = server.url;
process.env.MILLRACE_SECRET_KEY = server.tenants.main.secret_key;
process.env.MILLRACE_WRITE_KEY = server.tenants.main.write_key;
await waitFor('the traffic is stored', async () => (await server.sql('SELECT count() AS stored FROM analytics.events'))[0].stored >= 5000);
await import('./page.test.mjs');

test('the totals of an imported access log are those of the file', { skip: existsSync(log) ? false : 'no data/weblog/access-1.log in the data folder beside the repository' }, async () => {
  const { write_key, secret_key } = server.tenants.weblog;
  const lines = readFileSync(log, 'latin1').trimEnd().split('\n');
  const done = await command(['import', 'weblog', log, '--server', server.url, '--key', write_key, '--json']);
  assert.deepEqual(JSON.parse(done.stdout), { lines_read: 6000, stored: 6000, already_stored: 0, refused: 0 });
  const visitors = new Set(lines.map((line) => line.split(' ')[0])).size;
  const browser = await launch();
  try {
    const page = await browser.newPage({ timezoneId: 'UTC' });
    const format = new Intl.NumberFormat('en-US').format;
    await page.goto(`${server.url}/?period=custom&from=2015-05-01&to=2015-05-31&timezone=UTC#key=${secret_key}`);
    await waitFor('the page shows the totals of the file', async () => {
      const text = await page.locator('main').innerText();
      return text.includes(format(lines.length)) && text.includes(format(visitors));
    }, 60_000);
  } finally {
    await browser.close();
  }
});
