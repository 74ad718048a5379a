// SPDX-License-Identifier: Apache-2.0
// Short links and shares: what people hand out to others who have no account.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';
const ANDROID = 'Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36';
const SOCIAL = 'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)';
const CRAWLER = 'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)';

let server, main, other, owner;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'] });
  ({ main, other } = server.tenants);
  owner = (await server.login(server.owner.email, server.owner.password)).token;
});
after(() => server?.remove());

const manage = (method, path, body, tenant = main) => server.api(method, path, body, owner, { 'millrace-tenant': tenant.tenant });
async function make(kind, body, tenant = main) {
  const answer = await manage('POST', `/v1/${kind}`, body, tenant);
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}
let lastSlug = 0;
const makeLink = (body = {}, tenant = main) =>
  make('links', { slug: `link_${++lastSlug}`, name: 'Spring', target_url: 'https://shop.example/spring?a=1&b=2', ...body }, tenant);
const follow = (slug, headers = {}, path = '/l/') => server.send(path + slug, { headers: { 'user-agent': CHROME, ...headers } });
const visitsOf = (link, tenant = '*') => server.sql('SELECT * FROM analytics.link_visits WHERE link_id = {link:String} ORDER BY timestamp', tenant, { param_link: link.link_id });
const visited = (link, count) => waitFor(`${count} visits`, async () => {
  const rows = await visitsOf(link);
  assert.ok(rows.length <= count, `${rows.length} rows`);
  return rows.length === count && rows;
});

test('a link leads to its target, by both addresses, and each visit is a row', async () => {
  const link = await makeLink();
  const address = server.someAddress();
  const answer = await follow(link.slug, { referer: 'https://news.example/a', ...address });
  assert.equal(answer.status, 302, answer.text);
  assert.equal(answer.headers.location, link.target_url);
  assert.equal(answer.headers['cache-control'], 'private, no-cache');
  assert.ok(answer.headers.etag);
  assert.equal((await follow(link.slug, {}, '/')).headers.location, link.target_url);
  const [row, second] = await visited(link, 2);
  assert.deepEqual([row.tenant_id, row.referrer, row.user_agent, row.browser_name, row.device_type], [main.tenant, 'https://news.example/a', CHROME, 'Chrome', 'desktop']);
  assert.match(row.ip_hash, /^[0-9a-f]{64}$/);
  assert.notEqual(row.ip_hash, second.ip_hash);
  const day = new Date().toISOString().slice(0, 10);
  const plain = createHash('sha256').update(Object.values(address)[0] + day).digest('hex');
  assert.notEqual(row.ip_hash, plain, 'without the installation\'s secret all addresses could be tried');
  assert.ok(Math.abs(Date.parse(`${row.timestamp.replace(' ', 'T')}Z`) - Date.now()) < 60_000);
  assert.deepEqual(await visitsOf(link, other.tenant), [], 'rows are the tenant\'s own');
});

test('who asks again with the tag is told that nothing changed, and not counted', async () => {
  const link = await makeLink();
  const { etag } = (await follow(link.slug)).headers;
  const again = await follow(link.slug, { 'if-none-match': etag });
  assert.deepEqual([again.status, again.headers.etag], [304, etag]);
  assert.equal((await manage('PATCH', `/v1/links/${link.link_id}`, { target_url: 'https://shop.example/summer' })).status, 200);
  const changed = await follow(link.slug, { 'if-none-match': etag });
  assert.deepEqual([changed.status, changed.headers.location], [302, 'https://shop.example/summer']);
  const head = await server.send(`/l/${link.slug}`, { method: 'HEAD', headers: { 'user-agent': CHROME } });
  assert.equal(head.status, 302);
  await visited(link, 2);
  await server.settle(main.write_key);
  assert.equal((await visitsOf(link)).length, 2);
});

test('phones are led to their own addresses', async () => {
  const link = await makeLink({ ios_url: 'https://apps.example/ios', android_url: 'https://apps.example/android' });
  for (const [agent, location] of [[IPHONE, 'https://apps.example/ios'], [ANDROID, 'https://apps.example/android'], [CHROME, link.target_url]])
    assert.equal((await follow(link.slug, { 'user-agent': agent })).headers.location, location);
  assert.deepEqual((await visited(link, 3)).map((row) => row.device_type).sort(), ['desktop', 'mobile', 'mobile']);
});

test('robots are no visits; those that show links get what the link says of itself', async () => {
  const link = await makeLink({ og_title: 'Spring "sale" <now>', og_description: 'Up to 50 % & more', og_image_url: 'https://shop.example/a.png' });
  const shown = await follow(link.slug, { 'user-agent': SOCIAL });
  assert.equal(shown.status, 200);
  assert.match(shown.headers['content-type'], /^text\/html/);
  assert.match(shown.headers['content-security-policy'], /default-src 'none'/);
  assert.ok(shown.text.includes('<meta property="og:title" content="Spring &quot;sale&quot; &lt;now&gt;">'), shown.text);
  assert.ok(shown.text.includes('<meta property="og:image" content="https://shop.example/a.png">'));
  assert.ok(!shown.text.includes('<now>'));
  const crawler = await follow(link.slug, { 'user-agent': CRAWLER });
  assert.deepEqual([crawler.status, crawler.headers.location], [302, link.target_url]);
  const plain = await makeLink();
  assert.equal((await follow(plain.slug, { 'user-agent': SOCIAL })).status, 302, 'the target speaks for itself');
  await follow(link.slug);
  await visited(link, 1);
  assert.deepEqual(await visitsOf(plain), []);
});

test('a link ends', async () => {
  const gone = new Date(Date.now() - 1000).toISOString();
  const silent = await makeLink({ expires_at: gone });
  const answer = await follow(silent.slug);
  assert.deepEqual([answer.status, answer.headers.location], [410, undefined]);
  assert.match(answer.text, /expired/);
  const told = await makeLink({ expires_at: gone, expired_redirect_url: 'https://shop.example/over' });
  assert.equal((await follow(told.slug)).headers.location, 'https://shop.example/over');
  const link = await makeLink();
  assert.equal((await manage('DELETE', `/v1/links/${link.link_id}`)).status, 204);
  assert.equal((await follow(link.slug)).status, 404);
  await server.settle(main.write_key);
  for (const each of [silent, told, link]) assert.deepEqual(await visitsOf(each), []);
});

test('slugs shadow nothing, and nothing else is a slug', async () => {
  const refused = async (slug) => {
    const answer = await manage('POST', '/v1/links', { slug, name: 'x', target_url: 'https://shop.example/' });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.error.field, 'slug');
  };
  for (const slug of ['ab', 'a b', 'a/b', 'robots.txt', '.well-known', 'x'.repeat(51), 'ümlaut']) await refused(slug);
  const evil = await manage('POST', '/v1/links', { slug: 'evil', name: 'x', target_url: 'https://shop.example/\r\nSet-Cookie: a=b' });
  assert.equal(evil.status, 400, evil.text);
  for (const slug of ['healthz', 'track', 'metrics']) {
    const link = await makeLink({ slug });
    assert.notEqual((await follow(slug, {}, '/')).status, 302, slug);
    assert.equal((await follow(slug)).headers.location, link.target_url);
  }
  const again = await manage('POST', '/v1/links', { slug: 'track', name: 'x', target_url: 'https://shop.example/' }, other);
  assert.equal(again.status, 409, 'one slug for all tenants');
  for (const path of ['/robots.txt', '/favicon.ico', '/sitemap.xml', '/.well-known/x', '/nowhere', '/no', '/l/no'])
    assert.equal((await server.send(path, { headers: server.someAddress() })).status, 404, path);
  assert.equal((await server.send('/nowhere', { headers: server.someAddress() })).json.error.code, 'not_found');
  assert.match((await follow('nowhere')).headers['content-type'], /^text\/html/);
  assert.match((await server.get('/')).text, /<html/);
});

test('who tries out slugs is refused after sixty', async () => {
  const headers = server.someAddress();
  const link = await makeLink();
  const statuses = [];
  for (let i = 0; i < 70; i++) statuses.push((await follow(`missing${i}`, headers)).status);
  assert.ok(statuses.slice(0, 60).every((status) => status === 404), `${statuses}`);
  assert.ok(statuses.slice(60).includes(429), `${statuses}`);
  assert.equal((await follow(link.slug, headers)).status, 302, 'links that are there lead on');
  assert.equal((await follow('missing', server.someAddress())).status, 404);
});

test('visits of many at once are all there after a kill', async () => {
  const link = await makeLink();
  const answers = await Promise.all(Array.from({ length: 200 }, () => follow(link.slug)));
  assert.ok(answers.every(({ status }) => status === 302));
  await server.kill();
  await server.start();
  await visited(link, 200);
});
