// SPDX-License-Identifier: Apache-2.0
// Shares: what people without an account see of a dashboard, a report or a tenant, and what they do not.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { dayThatLasts, Server, waitFor } from './harness.mjs';

let server, main, other, owner;
before(async () => {
  await dayThatLasts();
  server = await Server.start({ tenants: ['main', 'other'] });
  ({ main, other } = server.tenants);
  owner = (await server.login(server.owner.email, server.owner.password)).token;
  const events = Array.from({ length: 12 }, (_, i) => ({ name: i % 3 ? 'signup' : 'screen_view', path: '/pricing', device_id: `d${i % 4}` }));
  for (const tenant of [main, other]) assert.equal((await server.post('/v1/events', tenant === main ? events : events.slice(0, 4), { key: tenant.write_key })).status, 200);
  await server.settle(other.write_key);
});
after(() => server?.remove());

const manage = (method, path, body, tenant = main) => server.api(method, path, body, owner, { 'millrace-tenant': tenant.tenant });
async function make(kind, body, tenant = main) {
  const answer = await manage('POST', `/v1/${kind}`, body, tenant);
  assert.equal(answer.status, 201, answer.text);
  if (kind !== 'shares') return answer.json;
  const given = await manage('GET', `/v1/shares/${answer.json.share_id}/token`, undefined, tenant);
  assert.equal(given.status, 200, given.text);
  return { ...answer.json, ...given.json };
}
const look = (token, more = '', headers = {}) => server.send(`/public/v1/shared/${token}${more}`, { headers: { ...server.someAddress(), ...headers } });
const enter = (token, password, headers = server.someAddress()) => server.api('POST', `/public/v1/shared/${token}`, { password }, null, headers);
const setPassword = async (share, password) => assert.equal((await manage('PUT', `/v1/shares/${share.share_id}/password`, { password })).status, 204);
const PASSWORD = 'four grey geese';
const FUNNEL = { chart_type: 'funnel', range: '30d', options: { steps: ['screen_view', 'signup'] } };

test('a dashboard is shown with what stands on it, and nothing else', async () => {
  const dashboard = await make('dashboards', { name: 'Sales', layout_config: { columns: 2 } });
  const elsewhere = await make('dashboards', { name: 'Secret plans' });
  await make('widgets', { dashboard_id: dashboard.dashboard_id, title: 'Revenue', widget_type: 'stat' });
  await make('widgets', { dashboard_id: elsewhere.dashboard_id, title: 'Hidden', widget_type: 'stat' });
  const report = await make('reports', { dashboard_id: dashboard.dashboard_id, name: 'Sign-ups', ...FUNNEL });
  const hidden = await make('reports', { name: 'Not on it', ...FUNNEL });
  await make('annotations', { x_value: new Date().toISOString(), text: 'Release', is_public: true });
  await make('annotations', { x_value: new Date().toISOString(), text: 'Layoffs', is_public: false });
  const share = await make('shares', { name: 'For partners', dashboard_id: dashboard.dashboard_id });
  assert.match(share.token, /^[A-Za-z0-9_-]{43}$/);
  const answer = await look(share.token);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['cache-control'], 'no-store');
  const shown = answer.json;
  assert.deepEqual([shown.kind, shown.name, shown.dashboard.name, shown.dashboard.layout_config], ['dashboard', 'For partners', 'Sales', { columns: 2 }]);
  assert.deepEqual([shown.widgets.map(({ title }) => title), shown.reports.map(({ name }) => name), shown.annotations.map(({ text }) => text)],
    [['Revenue'], ['Sign-ups'], ['Release']]);
  for (const secret of [elsewhere.dashboard_id, hidden.report_id, main.tenant, 'created_by', 'Layoffs']) assert.ok(!answer.text.includes(secret), secret);
  assert.equal((await look(share.token, `/reports/${hidden.report_id}`)).status, 404);
  assert.equal((await look(share.token, '/overview')).status, 404);
  const counted = await look(share.token, `/reports/${report.report_id}`);
  assert.equal(counted.status, 200, counted.text);
  const asked = await server.api('POST', '/v1/query/funnel', { steps: ['screen_view', 'signup'], period: '30d', interval: 'day' }, main.secret_key);
  assert.equal(asked.status, 200, asked.text);
  assert.deepEqual(counted.json, asked.json, 'the answer is that of the question the report stores, of this tenant');
  assert.ok(counted.text.includes('signup'));
  const forged = await look(share.token, `/reports/${report.report_id}?steps=settle&period=today&filter=path:is:/nowhere`);
  assert.deepEqual(forged.json, counted.json, 'nothing of the address changes the question');
});

test('a chart is asked as its row says', async () => {
  const report = await make('reports', { name: 'Chart', chart_type: 'linear', range: '7d', interval: 'day', previous: true, series: [{ name: 'signup' }], breakdowns: ['path'] });
  const share = await make('shares', { name: 'Chart', report_id: report.report_id });
  const answer = await look(share.token, `/reports/${report.report_id}`);
  assert.equal(answer.status, 200, answer.text);
  const asked = await server.api('POST', '/v1/query/chart', { chart: 'linear', series: [{ name: 'signup' }], breakdowns: ['path'], range: '7d', interval: 'day', compare: 'previous' }, main.secret_key);
  assert.equal(asked.status, 200, asked.text);
  assert.deepEqual(answer.json, asked.json);
  assert.ok(answer.text.includes('/pricing'));
});

test('reports of behaviour take series as charts do, ranges by any name, and another time from whoever looks', async () => {
  const ask = async (question, body) => {
    const answer = await server.api('POST', `/v1/query/${question}`, body, main.secret_key);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  };
  const view = { name: 'screen_view', filters: [{ name: 'path', operator: 'is', value: ['/pricing'] }] };
  const make_ = async (body) => (await make('reports', { name: 'r', series: [view, { name: 'signup' }], ...body })).report_id;
  const show = async (id, more = '') => {
    const answer = await manage('GET', `/v1/reports/${id}/data${more}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  };
  const steps = [{ event: 'screen_view', filters: view.filters }, 'signup'];
  const today = new Date().toISOString().slice(0, 10);
  for (const range of ['monthToDate', '6m', 'lastMonth', '30d', '90d', 'today'])
    assert.deepEqual((await show(await make_({ chart_type: 'funnel', range }))).steps.map(({ name, previous_count: count }) => [name, count]), [['screen_view', range === 'lastMonth' ? 0 : 4], ['signup', range === 'lastMonth' ? 0 : 4]]);
  const conversion = await make_({ chart_type: 'conversion', range: '6m', interval: 'month' });
  assert.deepEqual(await show(conversion, `?from=${today}&to=${today}&interval=hour`), await ask('conversion', { steps, from: today, to: today, interval: 'hour' }));
  assert.deepEqual(await show(conversion, '?period=7d'), await ask('conversion', { steps, period: '7d', interval: 'month' }));
  assert.deepEqual(await show(conversion, '?range=7d'), await ask('conversion', { steps, range: '7d', interval: 'month' }));
  const retention = await make_({ chart_type: 'retention', range: '30d', interval: 'hour', series: [{ name: 'signup' }, view] });
  const shown = await show(retention, `?from=${today}&to=${today}`);
  assert.deepEqual(shown, await ask('retention', { first: 'signup', return: steps[0], from: today, to: today, interval: 'day' }));
  assert.deepEqual([shown.cohorts[0].size, shown.cohorts[0].cells[0].value], [4, 4]);
  assert.deepEqual((await show(await make_({ chart_type: 'retention', range: 'monthToDate', interval: 'week', series: [{ name: 'never' }] }))).cohorts.filter(({ size }) => size), []);
  const sankey = await make_({ chart_type: 'sankey', range: '7d', series: [view], options: { type: 'sankey', mode: 'after', steps: 2, include: [], exclude: [] } });
  assert.deepEqual(await show(sankey), await ask('paths', { mode: 'after', start: steps[0], depth: 2, range: '7d' }));
  assert.equal((await show(sankey)).total, (await ask('paths', { start: 'screen_view', period: '7d' })).total);
  const shownRange = await manage('GET', `/v1/reports/${await make_({ chart_type: 'funnel', range: '9y' })}/data`);
  assert.deepEqual([shownRange.status, shownRange.json.error.field], [400, 'range'], shownRange.text);
});

test('a report, its own question and no other', async () => {
  const report = await make('reports', { name: 'One', ...FUNNEL });
  const two = await make('reports', { name: 'Two', ...FUNNEL });
  const share = await make('shares', { name: 'One report', report_id: report.report_id });
  const shown = (await look(share.token)).json;
  assert.deepEqual([shown.kind, shown.report.report_id, shown.report.chart_type, 'dashboard' in shown], ['report', report.report_id, 'funnel', false]);
  assert.equal((await look(share.token, `/reports/${report.report_id}`)).status, 200);
  for (const id of [two.report_id, report.report_id.replace(/.$/, (c) => (c === '0' ? '1' : '0')), 'x', '%00', '%FF'])
    assert.ok([400, 404].includes((await look(share.token, `/reports/${id}`)).status), id);
  assert.equal((await manage('DELETE', `/v1/reports/${report.report_id}`)).status, 204);
  assert.equal((await look(share.token)).status, 404, 'what is deleted is shared no more');
  assert.equal((await look(share.token, `/reports/${report.report_id}`)).status, 404);
});

test('the overview of a tenant, with the time that the visitor chooses', async () => {
  const share = await make('shares', { name: 'Our numbers' });
  assert.equal((await look(share.token)).json.kind, 'overview');
  const answer = await look(share.token, '/overview?period=7d');
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json, (await server.get('/v1/query/overview?period=7d', main.secret_key)).json);
  assert.deepEqual((await look(share.token, '/overview?period=7d&filter=path:is:/nowhere')).json, answer.json, 'filters are not heard');
});

test('with a password: nothing without it, a pass with it', async () => {
  const dashboard = await make('dashboards', { name: 'Numbers' });
  const share = await make('shares', { name: 'Locked', dashboard_id: dashboard.dashboard_id });
  await setPassword(share, PASSWORD);
  assert.equal((await manage('GET', `/v1/shares/${share.share_id}`)).json.has_password, true);
  const closed = await look(share.token);
  assert.equal(closed.status, 401);
  assert.ok(!closed.text.includes('Numbers'), closed.text);
  assert.equal((await enter(share.token, 'four grey goose')).status, 401);
  const open = await enter(share.token, PASSWORD);
  assert.equal(open.status, 200, open.text);
  const { pass, expires_at: end } = open.json;
  assert.ok(Date.parse(end) > Date.now() && Date.parse(end) <= Date.now() + 3_600_000);
  assert.equal((await look(share.token, '', { 'millrace-share': pass })).json.dashboard.name, 'Numbers');
  for (const broken of [pass.slice(0, -1), `${pass}x`, 'x', `s1:${'A'.repeat(100)}`]) assert.equal((await look(share.token, '', { 'millrace-share': broken })).status, 401);
  const second = await make('shares', { name: 'Also locked', dashboard_id: dashboard.dashboard_id });
  await setPassword(second, PASSWORD);
  assert.equal((await look(second.token, '', { 'millrace-share': pass })).status, 401, 'a pass is of one share');
  await setPassword(share, 'another flock of geese');
  assert.equal((await look(share.token, '', { 'millrace-share': pass })).status, 401, 'a new password ends passes');
  await setPassword(share, '');
  assert.equal((await look(share.token)).status, 200);
  const listed = (await manage('GET', '/v1/shares')).text;
  assert.ok(!listed.includes('argon2') && !listed.includes(PASSWORD));
  const folder = join(server.directory, 'metadata');
  const kept = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'latin1')).join('\n');
  assert.ok(kept.includes('Numbers') && !kept.includes(share.token) && !kept.includes(PASSWORD), 'a copy of the metadata opens nothing');
});

test('wrong passwords lock a share, whoever sends them', async () => {
  const share = await make('shares', { name: 'Guarded' });
  await setPassword(share, PASSWORD);
  for (let i = 0; i < 5; i++) assert.equal((await enter(share.token, `wrong ${i} wrong`)).status, 401);
  const locked = await enter(share.token, PASSWORD);
  assert.equal(locked.status, 429, locked.text);
  assert.ok(Number(locked.headers['retry-after']) > 1);
  await setPassword(share, PASSWORD);
  assert.equal((await enter(share.token, PASSWORD)).status, 200, 'who owns it opens it again');
  const headers = server.someAddress();
  let limited = 0;
  for (let i = 0; i < 40; i++) limited += (await enter('x'.repeat(43), 'whatever it is', headers)).status === 429;
  assert.ok(limited > 0, 'one address is limited over all shares');
});

test('a share ends: 410; taken back: 404', async () => {
  const share = await make('shares', { name: 'Short', expires_at: new Date(Date.now() + 1500).toISOString() });
  assert.equal((await look(share.token)).status, 200);
  const gone = await waitFor('it has expired', async () => {
    const answer = await look(share.token);
    return answer.status !== 200 && answer;
  });
  assert.equal(gone.status, 410);
  assert.equal(gone.json.error.code, 'gone');
  assert.equal((await look(share.token, '/overview')).status, 410);
  assert.equal((await manage('PATCH', `/v1/shares/${share.share_id}`, { expires_at: null })).status, 200);
  assert.equal((await look(share.token)).status, 200);
  assert.equal((await manage('DELETE', `/v1/shares/${share.share_id}`)).status, 204);
  assert.equal((await look(share.token)).status, 404);
  const forged = (at) => share.token.slice(0, at) + (share.token[at] === 'A' ? 'B' : 'A') + share.token.slice(at + 1);
  const living = await make('shares', { name: 'Living' });
  for (const token of ['x', 'y'.repeat(43), `${living.token}a`, forged(0), forged(30), share.token.slice(0, 22) + living.token.slice(22), living.token.slice(0, 22) + share.token.slice(22)]) assert.equal((await look(token)).status, 404);
});

test('shares are the tenant\'s own, and of its own things', async () => {
  const theirs = await make('dashboards', { name: 'Theirs' }, other);
  const answer = await manage('POST', '/v1/shares', { name: 'Stolen', dashboard_id: theirs.dashboard_id });
  assert.deepEqual([answer.status, answer.json.error.field], [400, 'dashboard_id'], answer.text);
  const mine = await make('dashboards', { name: 'Mine' });
  const report = await make('reports', { name: 'R', ...FUNNEL });
  const both = await manage('POST', '/v1/shares', { name: 'Both', dashboard_id: mine.dashboard_id, report_id: report.report_id });
  assert.deepEqual([both.status, both.json.error.field], [400, 'report_id'], both.text);
  const share = await make('shares', { name: 'Mine', dashboard_id: mine.dashboard_id });
  assert.equal((await manage('GET', `/v1/shares/${share.share_id}`, undefined, other)).status, 404);
  assert.equal((await manage('GET', `/v1/shares/${share.share_id}/token`, undefined, other)).status, 404);
  assert.equal((await manage('PUT', `/v1/shares/${share.share_id}/password`, { password: PASSWORD }, other)).status, 404);
});
