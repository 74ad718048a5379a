// SPDX-License-Identifier: Apache-2.0
// Payment services report to addresses of tenants: signed as they sign, each payment once, never in another tenant.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { waitFor } from './harness.mjs';
import { makeWorld, otherSide } from './world.mjs';

const secrets = { alpha: { stripe_secret: 'whsec_alpha', paddle_secret: 'pdl_alpha' }, beta: { stripe_secret: 'whsec_beta', paddle_secret: 'pdl_beta' } };
const configs = {};
let world, server;

const seconds = () => Math.floor(Date.now() / 1000);
const hex = (secret, text) => createHmac('sha256', secret).update(text).digest('hex');
const admin = (side, method, path, body) =>
  server.api(method, path, body, world[side].users.admin.token, { 'millrace-tenant': world[side].tenant });

function stripe(hash, body, { secret = secrets.alpha.stripe_secret, time = seconds(), header } = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return server.post(`/webhooks/stripe/${hash}`, text, { headers: header === null ? {} : { 'stripe-signature': header ?? `t=${time},v1=${hex(secret, `${time}.${text}`)}` } });
}
function paddle(hash, body, secret = secrets.alpha.paddle_secret) {
  const text = JSON.stringify(body), time = seconds();
  return server.post(`/webhooks/paddle/${hash}`, text, { headers: { 'paddle-signature': `ts=${time};h1=${hex(secret, `${time}:${text}`)}` } });
}
const payment = (id, more = {}) => ({ id: `evt_${id}`, type: 'payment_intent.succeeded', created: seconds(), data: { object: { id: `pi_${id}`, amount_received: 1999, currency: 'usd', ...more } } });
async function rows(condition, count = 1, tenant = '*') {
  let found = [];
  await waitFor(`${count} payments where ${condition}`, async () => {
    found = await server.sql(`SELECT * FROM analytics.revenue FINAL WHERE ${condition} ORDER BY transaction_id`, tenant);
    if (found.length > count) throw new Error(`${found.length} rows`);
    return found.length === count;
  });
  return found;
}

before(async () => {
  world = await makeWorld();
  server = world.server;
  for (const side of ['alpha', 'beta']) {
    const made = await admin(side, 'POST', '/v1/revenue_configs', { name: `shop of ${side}` });
    assert.equal(made.status, 201, made.text);
    configs[side] = made.json;
    assert.match(made.json.webhook_hash, /^[\w-]{43}$/);
    const set = await admin(side, 'PUT', `/v1/revenue_configs/${made.json.revenue_config_id}/secrets`, secrets[side]);
    assert.equal(set.status, 204, set.text);
    await waitFor('the address is known', async () => (await stripe(made.json.webhook_hash, '{}', { header: null })).status === 400);
  }
});
after(() => server?.remove());

test('a signed payment of Stripe becomes a row of its tenant, once', async () => {
  const body = payment('one', { customer: 'cus_1', metadata: { databuddy_client_id: 'shop', databuddy_session_id: 's1', databuddy_anonymous_id: 'anon', databuddy_profile_id: 'ann' } });
  for (let i = 0; i < 3; i++) {
    const answer = await stripe(configs.alpha.webhook_hash, body);
    assert.deepEqual([answer.status, answer.json], [200, { received: true, type: 'payment_intent.succeeded' }]);
  }
  const [row] = await rows("transaction_id = 'pi_one'", 1, world.alpha.tenant);
  assert.deepEqual(
    [row.tenant_id, row.provider, row.type, row.status, Number(row.amount), row.currency, row.website_id, row.session_id, row.profile_id, row.customer_id],
    [world.alpha.tenant, 'stripe', 'sale', 'succeeded', 19.99, 'USD', 'shop', 's1', 'ann', 'cus_1']);
  assert.match(row.device_id, /^[0-9a-f]{64}$/);
  assert.equal(JSON.parse(row.metadata).databuddy_session_id, 's1');
  assert.equal((await server.sql("SELECT count() AS n FROM analytics.revenue WHERE transaction_id = 'pi_one'"))[0].n, 1);
});

test('a checkout session and the payment it was for are one payment, in either order, with what the session was given', async () => {
  const time = seconds();
  const paid = (id) => ({ ...payment(id), id: `evt_pi_${id}`, created: time });
  const session = (id) => ({ id: `evt_cs_${id}`, type: 'checkout.session.completed', created: time, data: { object: { id: `cs_${id}`, mode: 'payment', payment_status: 'paid',
    payment_intent: `pi_${id}`, amount_total: 1999, currency: 'usd', client_reference_id: 'ann', metadata: { databuddy_session_id: 's7' } } } });
  for (const body of [paid('first'), session('first'), session('second'), paid('second')])
    assert.equal((await stripe(configs.alpha.webhook_hash, body)).status, 200);
  await server.settle(world.alpha.write_key);
  for (const id of ['pi_first', 'pi_second']) {
    const [row] = await rows(`transaction_id = '${id}'`, 1, world.alpha.tenant);
    assert.deepEqual([row.type, Number(row.amount), row.currency, row.session_id, row.profile_id], ['sale', 19.99, 'USD', 's7', 'ann'], id);
  }
  assert.equal((await server.sql("SELECT count() AS n FROM analytics.revenue FINAL WHERE transaction_id LIKE 'cs\\_%'"))[0].n, 0);
});

test('a transaction of Paddle becomes a row, and a refund of Stripe a negative one', async () => {
  const body = {
    event_id: 'evt_p', event_type: 'transaction.completed', occurred_at: new Date().toISOString(),
    data: { id: 'txn_1', customer_id: 'ctm_1', currency_code: 'JPY', details: { totals: { total: '2500', currency_code: 'JPY' } }, items: [{ price: { product_id: 'pro_1', name: 'Plan', billing_cycle: null } }], custom_data: { session_id: 's2' } },
  };
  const answer = await paddle(configs.alpha.webhook_hash, body);
  assert.deepEqual([answer.status, answer.json], [200, { received: true, type: 'transaction.completed' }]);
  const [row] = await rows("transaction_id = 'txn_1'");
  assert.deepEqual([row.provider, row.type, Number(row.amount), row.currency, row.product_id, row.session_id], ['paddle', 'sale', 2500, 'JPY', 'pro_1', 's2']);
  const refund = { id: 'evt_r', type: 'charge.refunded', created: seconds(), data: { object: { id: 'ch_1', amount_refunded: 500, currency: 'eur', refunds: { data: [{ id: 're_1', amount: 500 }] } } } };
  assert.equal((await stripe(configs.alpha.webhook_hash, refund)).status, 200);
  const [given] = await rows("transaction_id = 're_1'");
  assert.deepEqual([given.type, given.status, Number(given.amount)], ['refund', 'refunded', -5]);
});

test('what is not signed, wrongly signed, old, broken or nobody\'s is refused', async () => {
  const hash = configs.alpha.webhook_hash, body = payment('bad');
  const cases = [
    [400, stripe(hash, body, { header: null })], [400, stripe(hash, body, { header: 't=1' })],
    [401, stripe(hash, body, { secret: 'whsec_wrong' })], [401, stripe(hash, body, { time: seconds() - 400 })],
    [401, paddle(hash, body, 'wrong')], [400, stripe(hash, '{"broken')], [400, stripe(hash, { type: 'invoice.paid', id: 'evt_bad' })],
    [404, stripe('A'.repeat(43), body)], [404, stripe(configs.alpha.revenue_config_id, body)],
  ];
  for (const [i, [status, answer]] of cases.entries()) assert.equal((await answer).status, status, `${i}: ${(await answer).text}`);
  assert.equal((await server.get(`/webhooks/stripe/${hash}`)).status, 405);
  assert.equal((await stripe(hash, payment('after'))).status, 200);
  await rows("transaction_id = 'pi_after'");
  assert.equal((await server.sql("SELECT count() AS n FROM analytics.revenue WHERE transaction_id LIKE '%bad%'"))[0].n, 0);
});

test('an address takes only what is signed for its own tenant', async () => {
  for (const side of ['alpha', 'beta']) {
    const other = otherSide[side];
    assert.equal((await stripe(configs[other].webhook_hash, payment('cross'), { secret: secrets[side].stripe_secret })).status, 401);
    assert.equal((await admin(side, 'PUT', `/v1/revenue_configs/${configs[other].revenue_config_id}/secrets`, secrets[side])).status, 404);
  }
  const body = payment('same');
  for (const side of ['alpha', 'beta']) assert.equal((await stripe(configs[side].webhook_hash, body, { secret: secrets[side].stripe_secret })).status, 200);
  await rows("transaction_id = 'pi_same'", 2);
  for (const side of ['alpha', 'beta']) assert.equal((await rows("transaction_id = 'pi_same'", 1, world[side].tenant))[0].tenant_id, world[side].tenant);
});

test('secrets are never shown, and a deleted address takes nothing', async () => {
  const list = await admin('beta', 'GET', '/v1/revenue_configs');
  const mine = list.json.data.find((each) => each.revenue_config_id === configs.beta.revenue_config_id);
  assert.deepEqual([mine.has_stripe_secret, mine.has_paddle_secret, mine.webhook_hash], [true, true, configs.beta.webhook_hash]);
  assert.ok(!list.text.includes('whsec_') && !list.text.includes('s1:') && !server.log.includes('whsec_'));
  assert.equal((await admin('beta', 'DELETE', `/v1/revenue_configs/${configs.beta.revenue_config_id}`)).status, 204);
  await waitFor('the address is gone', async () => (await stripe(configs.beta.webhook_hash, payment('gone'), { secret: secrets.beta.stripe_secret })).status === 404);
});
