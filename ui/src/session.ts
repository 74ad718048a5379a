// SPDX-License-Identifier: Apache-2.0
// A signed-in user: who it is, which tenant is looked at, what is allowed there. Tokens are in cookies no script can read.
import { Api, ApiError, nobody, type Credentials } from './api';

export interface User {
  user_id: string;
  organization_id: string;
  tenant_id: string | null;
  email: string;
  first_name: string;
  last_name: string;
  timezone: string;
  language: string;
  email_verified: boolean;
  mfa_enabled: boolean;
  has_password: boolean;
}
export interface MyTenant {
  tenant_id: string;
  code: string;
  name: string;
  organization_id: string;
  is_active: boolean;
}
export interface MyRole {
  role_id: string;
  name: string;
  role_type: string;
  /** Null: everywhere in the organization. */
  tenant_id: string | null;
  expires_at: string | null;
}
export interface Me {
  user: User;
  session_id: string;
  organization?: { organization_id: string; name: string; code: string };
  tenants: MyTenant[];
  roles: MyRole[];
}
/** What the roles of a user say; null: the server does not let him read the role. */
interface RoleSets {
  role: MyRole;
  sets: { granted: string[]; denied: string[] } | null;
}
export type Where = 'tenant' | 'organization';

const RENEWED = 'millrace.renewed';
const tenant_storage = (user_id: string): string => `millrace.tenant.${user_id}`;

function stored(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}
function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage is refused: it is asked for again in the next tab.
  }
}

/** Exchanges the refresh token; each is good once, so that of all tabs one asks and the others take its word. */
async function exchange(): Promise<boolean> {
  const wanted = Date.now();
  const alone = async (): Promise<boolean> => {
    if (Number(stored(RENEWED)) > wanted) return true;
    try {
      await new Api(nobody).ask('POST', '/v1/auth/refresh', { body: {} });
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return false;
      throw error;
    }
    store(RENEWED, String(Date.now()));
    return true;
  };
  // Locks exist on https and on this machine; elsewhere one tab at a time is all that can be had.
  return navigator.locks ? await navigator.locks.request('millrace.renew', alone) : alone();
}
let renewing: Promise<boolean> | null = null;
const renew = (): Promise<boolean> => (renewing ??= exchange().finally(() => (renewing = null)));

export class Session implements Credentials {
  readonly cookies = true;
  readonly api = new Api(this);
  /** Called when the server knows the session no more: revoked, run out, user locked. */
  ended: () => void = () => {};
  private chosen = '';
  private roles: Promise<RoleSets[]> | null = null;

  private constructor(public me: Me) {
    this.choose_usual();
  }

  /** Null when nobody is signed in. */
  static async open(): Promise<Session | null> {
    const api = new Api({ ...nobody, renew });
    try {
      return new Session(await api.get<Me>('/v1/auth/me'));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  }

  headers(path: string): Record<string, string> {
    // What is about oneself is about no tenant.
    return path.startsWith('/v1/auth/') || !this.chosen ? {} : { 'millrace-tenant': this.chosen };
  }
  async renew(): Promise<boolean> {
    const renewed = await renew();
    if (!renewed) this.ended();
    return renewed;
  }
  async close(): Promise<void> {
    await this.api.ask('POST', '/v1/auth/logout', { body: {} });
  }

  /** After a change of one's own: profile, tenants, roles. */
  async reload(): Promise<void> {
    this.adopt(await this.api.get<Me>('/v1/auth/me'));
  }
  adopt(me: Me): void {
    this.me = me;
    this.roles = null;
    if (!this.tenant()) this.choose_usual();
  }

  tenant(): MyTenant | undefined {
    return this.me.tenants.find(({ tenant_id }) => tenant_id === this.chosen);
  }
  choose(tenant_id: string): void {
    this.chosen = tenant_id;
    store(tenant_storage(this.me.user.user_id), tenant_id);
  }
  private choose_usual(): void {
    const { tenants, user } = this.me;
    const wanted = [stored(tenant_storage(user.user_id)), user.tenant_id];
    const found = wanted.map((id) => tenants.find(({ tenant_id }) => tenant_id === id)).find(Boolean);
    this.chosen = (found ?? tenants.find(({ is_active }) => is_active) ?? tenants[0])?.tenant_id ?? '';
  }

  /** For showing only what is of use. The server decides by itself; a role that may not be read is taken to allow. */
  async permissions(): Promise<(permission: string, where?: Where) => boolean> {
    this.roles ??= Promise.all(this.me.roles.map((role) => this.role_sets(role)));
    const roles = await this.roles;
    return (permission, where = 'tenant') => {
      const here = roles.filter(({ role }) => role.tenant_id === null || (where === 'tenant' && role.tenant_id === this.chosen));
      if (here.some(({ sets }) => sets?.denied.includes(permission))) return false;
      return here.some(({ role, sets }) => role.role_type === 'super_admin' || sets === null || sets.granted.includes(permission));
    };
  }
  private async role_sets(role: MyRole): Promise<RoleSets> {
    if (role.role_type === 'super_admin') return { role, sets: null };
    try {
      return { role, sets: await this.api.get<{ granted: string[]; denied: string[] }>(`/v1/roles/${role.role_id}/permissions`) };
    } catch (error) {
      if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return { role, sets: null };
      throw error;
    }
  }
}
