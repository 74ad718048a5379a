// SPDX-License-Identifier: Apache-2.0
// Fields and operators that questions are asked by: every operator of every dialect, each against the same in JavaScript.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';

// One person each, so that "visitors" counts the events that pass.
const people = [
  { device_id: 'd1', path: '/a', utm_source: 'News', profile_id: 'ann', groups: ['acme', 'beta'], properties: { plan: 'pro', seats: '10', 'tags.0': 'red', 'tags.1': 'blue' } },
  { device_id: 'd2', path: '/A/b', groups: ['beta'], utm_source: 'news', properties: { plan: 'free', seats: '9.5', 'tags.0': 'blue' } },
  { device_id: 'd3', path: '/c%', utm_source: '', properties: { plan: "o'neil \\ \"x\"\ttab", seats: 'many' } },
  { device_id: 'd4', path: '/ä', utm_source: 'ads', revenue: 12.5, properties: { plan: 'pro', when: '2026-01-02T03:04:05Z', yes: 'true' } },
];
let server, key;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'], settings: ['--spool.seal_age', '100ms'] });
  const { write_key } = server.tenants.main;
  key = server.tenants.main.secret_key;
  const answer = await server.post('/v1/events', people.map((person) => ({ name: 'screen_view', session_id: `visit of ${person.device_id}`, ...person })), { key: write_key });
  assert.equal(answer.status, 200, answer.text);
  await server.post('/v1/events', [{ name: 'screen_view', device_id: 'foreign', path: '/a' }], { key: server.tenants.other.write_key });
  assert.equal((await server.post('/track', { type: 'identify', payload: { profileId: 'ann', firstName: 'Ann', email: 'ann@example.org' } }, { headers: { 'openpanel-client-id': write_key } })).status, 200);
  for (const [id, name, seats] of [['acme', 'Acme Inc', 12], ['beta', 'Beta', 3]]) {
    const made = await server.post('/track', { type: 'group', payload: { id, type: 'company', name, properties: { seats } } }, { headers: { 'openpanel-client-id': write_key } });
    assert.equal(made.status, 200, made.text);
  }
  for (const tenant of Object.values(server.tenants)) await server.settle(tenant.write_key);
});
after(() => server?.remove());

const live = async (filters) => {
  const query = filters.map((filter) => `filter=${encodeURIComponent(filter)}`).join('&');
  return server.get(`/v1/query/live?${query}`, key);
};
const property = (name) => (person) => person.properties[name] ?? '';
const cases = [
  ['path:is:/a', (p) => p.path === '/a'],
  ['path:is:/a|/ä', (p) => ['/a', '/ä'].includes(p.path)],
  ['path:isNot:/a', (p) => p.path !== '/a'],
  ['path:not_in:/a|/c%', (p) => !['/a', '/c%'].includes(p.path)],
  ['path:contains:A', (p) => p.path.toLowerCase().includes('a')],
  ['utm_source:is:', (p) => p.utm_source === ''],
  ['path:is:/a\\|b|/c%', (p) => p.path === '/c%'],
  ['path:contains:%', (p) => p.path.includes('%')],
  ['path:doesNotContain:a|ä', (p) => !/[aä]/i.test(p.path)],
  ['path:starts_with:/a', (p) => p.path.toLowerCase().startsWith('/a')],
  ['path:endsWith:B', (p) => p.path.toLowerCase().endsWith('b')],
  ['path:regex:^/[a-c]', (p) => /^\/[a-c]/.test(p.path)],
  ['utm_source:isNull:', (p) => p.utm_source === ''],
  ['utmSource:is_not_null:', (p) => p.utm_source !== ''],
  ['properties.plan:is:pro', (p) => property('plan')(p) === 'pro'],
  ["properties.plan:is:o'neil \\ \"x\"\ttab", (p) => property('plan')(p).startsWith("o'neil")],
  ['properties.seats:gt:9.5', (p) => Number(property('seats')(p)) > 9.5],
  ['properties.seats:lte:10', (p) => property('seats')(p) !== '' && Number(property('seats')(p)) <= 10],
  ['properties.tags.*:is:blue', (p) => Object.entries(p.properties).some(([name, value]) => name.startsWith('tags.') && value === 'blue')],
  ['properties.tags.*:is_not:blue', (p) => !Object.entries(p.properties).some(([name, value]) => name.startsWith('tags.') && value === 'blue')],
  ['revenue:gte:12.5', (p) => p.revenue >= 12.5],
  ['revenue:isNull:', (p) => p.revenue === undefined],
  ['has_profile:is:true', (p) => p.profile_id !== undefined],
];
for (const [filter, holds] of cases) {
  test(`live visitors by ${filter}`, async () => {
    const answer = await live([filter]);
    assert.equal(answer.status, 200, answer.text);
    const wanted = people.filter(holds).length;
    assert.deepEqual(answer.json, { visitors: wanted, sessions: wanted });
  });
}

// Each group's row passes or not; a person counts when one of their groups does.
const groupCases = [['group.id:is:acme', 1], ['group.type:is:company', 2], ['group.name:contains:Acme', 1], ['group.properties.seats:gt:9', 1], ['group.id:is:nothing', 0],
  // Negative: no group of theirs is one, and who has none passes.
  ['group.name:is_not:Acme Inc', 3], ['group.id:is_not:beta', 2], ['group.type:is_null:', 2],
  ['profile.email:is_not:ann@example.org', 3], ['profile.email:is_null:', 3], ['profile.email:contains:ANN', 1], ['profile.first_name:is_not:Nobody', 4]];
for (const [filter, wanted] of groupCases) {
  test(`live visitors by ${filter}`, async () => {
    const answer = await live([filter]);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.visitors, wanted);
  });
}

test('no name of a field becomes SQL', async () => {
  const evil = "1) OR tenant_id != '' OR toString(1";
  for (const name of [evil, `properties.${evil}`, `group.${evil}`, `group.properties.${evil}`, `group.properties.${evil}${'x'.repeat(300)}`, `profile.${evil}`,
    `profile.properties.${evil}`, `profile.properties.${evil}${'x'.repeat(300)}`, `properties.${evil}${'x'.repeat(300)}`, `properties.*${evil}`]) {
    const answer = await server.get(`/v1/query/live?filter=${encodeURIComponent(`${name.replaceAll(':', '')}:is:x`)}`, key);
    assert.ok([200, 400].includes(answer.status), `${name}: ${answer.text}`);
    if (answer.status === 200) assert.equal(answer.json.visitors, 0, name);
  }
});

test('filters are combined with and', async () => {
  assert.equal((await live(['path:contains:a', 'properties.plan:is:free'])).json.visitors, 1);
});

test('what has several values per person or group is for filters only', async () => {
  for (const breakdown of ['profile.properties.a.*', 'profile.groups']) {
    const answer = await server.api('POST', '/v1/query/funnel', { steps: ['screen_view', 'buy'], breakdown }, null, { authorization: `Bearer ${key}` });
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.json.error.message, /only be filtered/);
  }
  assert.equal((await live(['group.properties.se*:is:12'])).status, 200);
});

test('what is wrong with a filter is said', async () => {
  for (const [filter, part] of [['pth:is:x', 'path'], ['path:equalz:x', 'operator'], ['revenue:gt:much', 'number'], ['path:regex:(', 'regular'], ['cohort:in_cohort:nothing', 'cohort']]) {
    const answer = await live([filter]);
    assert.ok([400, 404].includes(answer.status), `${filter}: ${answer.text}`);
    assert.match(answer.json.error.message.toLowerCase(), new RegExp(part), filter);
  }
});
