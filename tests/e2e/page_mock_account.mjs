// SPDX-License-Identifier: Apache-2.0
// The part of the page's mock that people own: sign-in, sessions, keys, members, roles, tenants, audit; all in memory.
import { randomUUID } from 'node:crypto';

export const MOCK_EMAIL = 'ada@northwind.example';
export const MOCK_PASSWORD = 'a long sentence to sign in with';
/** The right code of the second factor's app. */
export const MOCK_CODE = '492038';
export const RESET_TOKEN = 'reset-token-of-a-mail';

const DAY_MS = 86_400_000;
const ago = (ms) => new Date(Date.now() - ms).toISOString();
const ahead = (ms) => new Date(Date.now() + ms).toISOString();
const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36';
const SAFARI = 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1';

/** As src/tenant/permission.def, shortened: resource, actions, letters of the roles per action. */
const PERMISSIONS = Object.entries({
  organizations: 'read:ADV write:A', workspaces: 'read:ADV write:A delete:A', tenants: 'read:ADV write:AD delete:A', users: 'read:ADV write:A delete:A',
  roles: 'read:ADV write:A assign:A', keys: 'read:ADV write:AD delete:AD', audit: 'read:A', events: 'write:AD read:ADV', traces: 'write:AD read:ADV',
  metrics: 'write:AD read:ADV', logs: 'write:AD read:ADV', dashboards: 'read:ADV write:AD delete:A', billing: 'read:A write:A',
}).flatMap(([resource, actions]) =>
  actions.split(' ').map((text) => {
    const [action, roles] = text.split(':');
    return { name: `${resource}:${action}`, resource, action, roles, description: `${action} ${resource}` };
  }),
);

class Refusal extends Error {
  constructor(status, code, message, field, retry_after) {
    super(message);
    Object.assign(this, { status, code, field, retry_after });
  }
}
const not_found = (what) => new Refusal(404, 'not_found', `there is no ${what}`);

export class Account {
  constructor() {
    this.reset();
  }

  /** Everything as at the start. */
  reset() {
    const organization_id = randomUUID();
    const workspace_id = randomUUID();
    this.organization = { organization_id, name: 'Northwind Trading', code: 'northwind' };
    this.workspaces = [{ workspace_id, name: 'Shops', code: 'shops' }];
    const tenant = (name, code, extra = {}) => ({ tenant_id: randomUUID(), workspace_id, organization_id, name, code, domain: `${code}.example`, is_active: true, created_at: ago(90 * DAY_MS), deleted_at: null, ...extra });
    this.tenants = [tenant('Northwind Outfitters', 'outfitters'), tenant('Northwind Wholesale', 'wholesale'), tenant('Old shop', 'old-shop', { deleted_at: ago(3 * DAY_MS) })];
    const role = (name, role_type, letter, description = '') => ({ role_id: randomUUID(), name, role_type, description, granted: PERMISSIONS.filter(({ roles }) => letter === '*' || roles.includes(letter)).map(({ name }) => name), denied: [] });
    this.roles = [role('Admin', 'admin', 'A'), role('Developer', 'developer', 'D'), role('Viewer', 'viewer', 'V'), { ...role('Shop analysts', 'custom', 'V', 'Read the numbers, not the people.'), denied: ['users:read'] }];
    this.roles[3].granted = this.roles[3].granted.filter((name) => name !== 'users:read');
    const user = (email, first_name, last_name, extra = {}) => ({ user_id: randomUUID(), organization_id, tenant_id: null, email, first_name, last_name, timezone: 'Europe/Berlin', language: 'en', email_verified: true, mfa_enabled: false, has_password: true, is_active: true, is_locked: false, last_login_at: ago(3 * 3_600_000), created_at: ago(80 * DAY_MS), deleted_at: null, ...extra });
    this.users = [user(MOCK_EMAIL, 'Ada', 'Lindqvist'), user('bo@northwind.example', 'Bo', 'Castellanos', { last_login_at: ago(40 * DAY_MS) }), user('<b>mallory</b>@northwind.example', '', '', { is_locked: true, email_verified: false, last_login_at: null })];
    this.me = this.users[0];
    this.assignments = [this.assignment(this.users[0], this.roles[0]), this.assignment(this.users[1], this.roles[1], this.tenants[1].tenant_id, ahead(20 * DAY_MS)), this.assignment(this.users[1], this.roles[2])];
    const key = (kind, name, extra = {}) => ({
      api_key_id: randomUUID(), tenant_id: this.tenants[0].tenant_id, kind, name, description: '', status: 'active', version: 1,
      key_id: kind === 'write' ? randomUUID() : 'q8w3k2m9x4c7v1b5', prefix: 'mrs_q8w3k2m9', permissions: ['events:write'], allowed_origins: [], allowed_addresses: [], rate_limit: 0,
      expires_at: null, grace_period_expires_at: null, last_used_at: null, last_used_ip: '', usage_count: 0, revoked_at: null, revoked_reason: '', created_by: this.me.user_id, created_at: ago(60 * DAY_MS), updated_at: ago(60 * DAY_MS), ...extra,
    });
    this.keys = [
      key('write', 'Shop website', { last_used_at: ago(20_000), usage_count: 182_340, allowed_origins: ['outfitters.example', '*.outfitters.example'], permissions: ['events:write', 'logs:write'] }),
      key('secret', 'Billing server', { last_used_at: ago(7 * 3_600_000), usage_count: 4211, rate_limit: 600, allowed_addresses: ['10.20.0.0/16'], expires_at: ahead(120 * DAY_MS), description: 'Sends invoices as events, reads totals.' }),
      key('secret', 'Old importer', { status: 'revoked', revoked_at: ago(9 * DAY_MS), revoked_reason: 'replaced by the new importer' }),
    ];
    this.earlier = new Map(); // access tokens from before a refresh
    this.devices = [{ device_id: randomUUID(), device_name: CHROME, created_at: ago(5 * DAY_MS), last_used_at: ago(DAY_MS), expires_at: ahead(25 * DAY_MS) }];
    this.password = MOCK_PASSWORD;
    this.mfa_token = 'mfa-token';
    this.providers = [];
    this.sessions = [this.session(SAFARI, ago(2 * DAY_MS))];
    this.refresh_count = 0;
    this.audit = Array.from({ length: 120 }, (_, index) => this.event(index));
  }
  assignment(user, role, tenant_id = null, expires_at = null) {
    return { user_role_id: randomUUID(), user_id: user.user_id, role_id: role.role_id, role_type: role.role_type, name: role.name, tenant_id, assigned_by: null, assigned_at: ago(DAY_MS), expires_at };
  }
  session(user_agent, created_at = new Date().toISOString()) {
    return { session_id: randomUUID(), access: randomUUID(), refresh: randomUUID(), ip_address: '203.0.113.7', user_agent, method: 'password', created_at, last_used_at: created_at, expires_at: ahead(7 * DAY_MS) };
  }
  event(index) {
    const actions = ['key.created', 'auth.login', 'user.updated', 'auth.login_failed', 'role.permissions_changed'];
    const action = actions[index % actions.length];
    const resource_type = action.split('.')[0] === 'auth' ? 'user' : action.split('.')[0];
    return { id: randomUUID(), timestamp: ago(index * 47 * 60_000), action, result: action.endsWith('failed') ? 'failure' : 'success', resource_type, resource_id: this.users[index % 2].user_id, user_id: this.me.user_id, actor_kind: 'user', actor_id: this.users[index % 2].user_id, session_id: '', organization_id: this.organization.organization_id, workspace_id: '', tenant_id: '', ip_address: '203.0.113.7', user_agent: CHROME, metadata: { index }, service: 'core', sequence: 120 - index, previous_hash: 'a1', hash: 'b2'.repeat(32) };
  }

  /** The session of the cookies, or undefined. */
  who(request) {
    const access = /millrace_access=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
    return access && this.sessions.find((session) => session.access === access || session === this.earlier.get(access));
  }
  revoke_all() {
    this.sessions = [];
  }
  /** As after fifteen minutes: refreshing is needed. */
  expire_access() {
    this.earlier.clear();
    for (const session of this.sessions) session.access = randomUUID();
  }

  profile(session) {
    const { password, ...user } = this.me;
    const roles = this.assignments.filter(({ user_id }) => user_id === user.user_id).map(({ role_id, name, role_type, tenant_id, expires_at }) => ({ role_id, name, role_type, tenant_id, expires_at }));
    const tenants = this.tenants.filter(({ deleted_at }) => !deleted_at).map(({ tenant_id, code, name, organization_id, is_active }) => ({ tenant_id, code, name, organization_id, is_active }));
    return { user, session_id: session.session_id, organization: this.organization, tenants, roles };
  }
  cookies(session) {
    return { 'set-cookie': [`millrace_access=${session?.access ?? ''}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${session ? 900 : 0}`, `millrace_refresh=${session?.refresh ?? ''}; Path=/v1/auth; HttpOnly; SameSite=Strict; Max-Age=${session ? 604_800 : 0}`] };
  }
  enter(request) {
    const session = this.session(request.headers['user-agent']);
    this.sessions.unshift(session);
    return { status: 200, body: { session_id: session.session_id, user: this.me }, headers: this.cookies(session) };
  }

  /** { status, body, headers } or undefined when the path is not of this part. Throws a refusal. */
  async answer(request, url) {
    const route = `${request.method} ${url.pathname}`;
    const body = await read_body(request);
    if (request.method !== 'GET' && body !== undefined && !request.headers['content-type']?.startsWith('application/json')) throw new Refusal(415, 'invalid', 'send JSON');
    const open = this.open(route, body, request);
    if (open) return open;
    if (!/^\/v1\/(auth|keys|users|roles|permissions|tenants|workspaces|audit)(\/|$)/.test(url.pathname)) return undefined;
    const session = this.who(request);
    if (!session) throw new Refusal(401, 'unauthorized', 'the session has ended');
    const parts = url.pathname.split('/').slice(2);
    const answer = await this[`at_${parts[0]}`](request.method, parts.slice(1), body ?? {}, url.searchParams, session);
    if (answer === undefined) throw not_found('such route');
    return answer === null ? { status: 204 } : { status: 200, body: answer };
  }

  open(route, body, request) {
    const refresh = /millrace_refresh=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
    const session = refresh && this.sessions.find((candidate) => candidate.refresh === refresh);
    switch (route) {
      case 'POST /v1/auth/login': {
        if (body.email === 'slow@northwind.example') throw new Refusal(429, 'rate_limited', 'too many tries from this address', undefined, 240);
        if (body.email !== this.me.email || body.password !== this.password) throw new Refusal(401, 'unauthorized', 'the e-mail address or the password is wrong, or the account is locked (5 wrong passwords lock it for 15 minutes)');
        if (!body.cookies) throw new Refusal(400, 'invalid', 'this mock wants cookies');
        this.remembered = body.remember;
        return this.me.mfa_enabled ? { status: 200, body: { mfa_required: true, mfa_token: this.mfa_token, expires_in: 300 } } : this.enter(request);
      }
      case 'POST /v1/auth/mfa':
        if (body.mfa_token !== this.mfa_token) throw new Refusal(401, 'unauthorized', 'this login took too long: begin again', 'mfa_token');
        if (body.code !== MOCK_CODE) throw new Refusal(401, 'unauthorized', 'the code is wrong or was used already', 'code');
        return this.enter(request);
      case 'POST /v1/auth/refresh':
        this.refresh_count++;
        if (!session) throw Object.assign(new Refusal(401, 'unauthorized', 'the refresh token is not valid any more: log in again'), { headers: this.cookies(null) });
        this.earlier.set(session.access, session); // good until it runs out, as the server's are
        Object.assign(session, { access: randomUUID(), refresh: randomUUID() });
        return { status: 200, body: { session_id: session.session_id, user: this.me }, headers: this.cookies(session) };
      case 'POST /v1/auth/logout':
        this.sessions = this.sessions.filter((candidate) => candidate !== session);
        return { status: 204, headers: this.cookies(null) };
      case 'POST /v1/auth/password/forgot':
        return { status: 202 };
      case 'POST /v1/auth/password/reset':
        if (body.token !== RESET_TOKEN) throw new Refusal(400, 'invalid', 'this link is not valid any more: ask for a new one', 'token');
        if (body.password.length < 12) throw new Refusal(400, 'invalid', 'at least 12 characters', 'password');
        this.password = body.password;
        return { status: 204 };
      case 'POST /v1/auth/email/verify':
        if (body.token !== 'verify-token') throw new Refusal(400, 'invalid', 'this link is not valid any more: ask for a new one', 'token');
        return { status: 204 };
      case 'GET /v1/auth/oidc':
        return { status: 200, body: { data: this.providers } };
      default:
        return undefined;
    }
  }

  at_auth(method, [what, id], body, _, session) {
    const route = `${method} ${what}`;
    if (route === 'GET me') return this.profile(session);
    if (route === 'PATCH me') {
      if (body.first_name === 'refuse me') throw new Refusal(400, 'invalid', 'first_name must not be that', 'first_name');
      Object.assign(this.me, body);
      return this.profile(session);
    }
    if (route === 'POST password') {
      if (body.current !== this.password) throw new Refusal(400, 'invalid', 'the password is wrong', 'current');
      this.password = body.new;
      this.sessions = [session];
      return null;
    }
    if (route === 'GET sessions') return { data: this.sessions.map(({ access, refresh, ...shown }) => ({ ...shown, is_current: shown.session_id === session.session_id })) };
    if (route === 'DELETE sessions') {
      const ended = this.sessions.length - 1;
      this.sessions = this.sessions.filter((other) => (id ? other.session_id !== id : other === session));
      return id ? null : { ended };
    }
    if (route === 'GET devices') return { data: this.devices };
    if (route === 'DELETE devices') {
      this.devices = id ? this.devices.filter(({ device_id }) => device_id !== id) : [];
      return null;
    }
    if (route !== 'POST mfa') return undefined;
    if (id === 'setup') return { secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', otpauth_url: `otpauth://totp/Millrace:${encodeURIComponent(this.me.email)}?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Millrace` };
    if (body.code !== MOCK_CODE) throw new Refusal(400, 'invalid', 'the code is wrong or was used already', 'code');
    if (id === 'disable' && body.password !== this.password) throw new Refusal(400, 'invalid', 'the password is wrong', 'password');
    this.me.mfa_enabled = id !== 'disable';
    return id === 'disable' ? null : { backup_codes: Array.from({ length: 10 }, (_, index) => `K7QX${index}-M3NP${index}`) };
  }

  at_permissions() {
    return { data: PERMISSIONS.map(({ roles, ...shown }) => shown) };
  }

  at_keys(method, [id, what], body, query) {
    if (method === 'GET' && !id) return { data: this.keys.filter(({ status }) => !query.get('status') || status === query.get('status')), next_cursor: null };
    if (method === 'POST' && !id) {
      if (body.allowed_origins?.some((origin) => !/^[*.a-z0-9:/-]+$/.test(origin))) throw new Refusal(400, 'invalid', `allowed_origins: "${body.allowed_origins[0]}" is none of *, localhost, example.com`, 'allowed_origins');
      const key_id = body.kind === 'write' ? randomUUID() : 'n3w0k3y0n3w0k3y0';
      const key = { ...this.keys[0], api_key_id: randomUUID(), description: '', usage_count: 0, last_used_at: null, created_at: new Date().toISOString(), ...body, key_id, prefix: 'mrs_n3w0k3y0', status: 'active' };
      this.keys.push(key);
      return { ...key, key: body.kind === 'write' ? key_id : `mrs_${key_id}_${'s3cr3t'.repeat(7)}x` };
    }
    const key = this.keys.find(({ api_key_id }) => api_key_id === id);
    if (!key) throw not_found('such key');
    if (what === 'usage') {
      const data = Array.from({ length: 150 }, (_, index) => ({ hour: new Date(Math.floor(Date.now() / 3_600_000 - 149 + index) * 3_600_000).toISOString(), requests: Math.round(200 + 180 * Math.sin(index / 3.8)), refused: index % 40 === 0 ? 2 : 0, items: 900 }));
      return { data, totals: { requests: 31_240, refused: 8, items: 140_200 } };
    }
    if (what === 'rotate') return { ...Object.assign(key, { version: key.version + 1, grace_period_expires_at: ahead(body.grace_seconds * 1000) }), key: `mrs_${key.key_id}_${'r0tat3d'.repeat(6)}x` };
    if (what === 'revoke') return Object.assign(key, { status: 'revoked', revoked_at: new Date().toISOString(), revoked_reason: body.reason ?? '' });
    if (method === 'PATCH') return Object.assign(key, body);
    return undefined;
  }

  at_users(method, [id, what, inner], body, query) {
    if (method === 'GET' && !id) return { data: this.users.filter(({ deleted_at }) => !deleted_at || query.get('include_deleted') === 'true'), next_cursor: null };
    if (method === 'POST' && !id) {
      if (this.users.some(({ email }) => email === body.email)) throw new Refusal(409, 'conflict', 'there is a user with this address', 'email');
      const user = { ...this.users[1], user_id: randomUUID(), first_name: '', last_name: '', last_login_at: null, ...body };
      this.users.push(user);
      const role = this.roles.find(({ role_id }) => role_id === body.role);
      if (role) this.assignments.push(this.assignment(user, role, body.role_tenant_id ?? null));
      return { user, link: '/#reset-password=invitation-token' };
    }
    const user = this.users.find(({ user_id }) => user_id === id);
    if (!user) throw not_found('such user');
    if (what === 'roles') {
      if (method === 'GET') return { data: this.assignments.filter(({ user_id }) => user_id === id) };
      if (method === 'DELETE') this.assignments = this.assignments.filter(({ user_role_id }) => user_role_id !== inner);
      else this.assignments.push(this.assignment(user, this.roles.find(({ role_id }) => role_id === body.role_id), body.tenant_id, body.expires_at));
      return method === 'DELETE' ? null : this.assignments.at(-1);
    }
    if (what === 'sessions') return method === 'GET' ? { data: user === this.me ? this.sessions : [] } : { ended: 1 };
    if (what === 'lock' || what === 'unlock') user.is_locked = what === 'lock';
    else if (what === 'password-reset') return { user, link: '/#reset-password=another-token' };
    else if (what === 'restore') user.deleted_at = null;
    else if (method === 'DELETE' && !what) user.deleted_at = new Date().toISOString();
    return null;
  }

  at_roles(method, [id, what], body) {
    if (method === 'GET' && !id) return { data: this.roles.map(({ granted, denied, ...shown }) => shown), next_cursor: null };
    if (method === 'POST') return this.roles[this.roles.push({ role_id: randomUUID(), role_type: 'custom', granted: [], denied: [], ...body }) - 1];
    const role = this.roles.find(({ role_id }) => role_id === id);
    if (!role) throw not_found('such role');
    if (what === 'permissions') {
      if (method === 'PUT') Object.assign(role, body);
      return { role_id: id, granted: role.granted, denied: role.denied };
    }
    if (method === 'PATCH') return Object.assign(role, body);
    this.roles = this.roles.filter((other) => other !== role);
    return null;
  }

  at_workspaces(method, _, body) {
    if (method === 'POST') this.workspaces.push({ workspace_id: randomUUID(), ...body });
    return method === 'POST' ? this.workspaces.at(-1) : { data: this.workspaces, next_cursor: null };
  }

  at_tenants(method, [id, what], body, query) {
    if (method === 'GET' && !id) return { data: this.tenants.filter(({ deleted_at }) => !deleted_at || query.get('include_deleted') === 'true'), next_cursor: null };
    if (method === 'POST' && !id) {
      if (this.tenants.some(({ code }) => code === body.code)) throw new Refusal(409, 'conflict', 'this code is taken', 'code');
      this.tenants.push({ organization_id: this.organization.organization_id, is_active: true, deleted_at: null, tenant_id: randomUUID(), domain: '', created_at: new Date().toISOString(), code: body.name.toLowerCase().replace(/[^a-z0-9]+/g, '-'), ...body });
      return this.tenants.at(-1);
    }
    const tenant = this.tenants.find(({ tenant_id }) => tenant_id === id);
    if (!tenant) throw not_found('such tenant');
    if (what === 'restore') return Object.assign(tenant, { deleted_at: null });
    if (method === 'GET') return tenant;
    if (method === 'PATCH') return Object.assign(tenant, body);
    tenant.deleted_at = new Date().toISOString();
    return null;
  }

  at_audit(method, _, body, query) {
    const fits = this.audit.filter((event) => ['action', 'result', 'actor_kind', 'resource_type', 'ip_address'].every((name) => !query.get(name) || query.getAll(name).includes(event[name])));
    const start = Number(query.get('cursor') ?? 0);
    const end = start + Number(query.get('limit'));
    return { data: fits.slice(start, end), next_cursor: end < fits.length ? String(end) : null };
  }
}

async function read_body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text ? JSON.parse(text) : undefined;
}
