// SPDX-License-Identifier: Apache-2.0
// Asks the server, with a tenant's key or as a signed-in user; every failure becomes one ApiError in the server's words.

export type Measure = 'visitors' | 'page_views' | 'sessions' | 'events';
export type Numbers = Record<Measure, number>;

export interface Point extends Numbers {
  time: string;
}
export interface Series {
  interval?: string;
  points: Point[];
  totals: Numbers;
  /** `to` is the moment after. */
  previous?: { from?: string; to?: string; points: Point[]; totals: Numbers };
}
export interface Row extends Partial<Numbers> {
  value: string;
}
export interface Top {
  rows: Row[];
  totals?: Partial<Numbers>;
}
export interface Tenant {
  id: string;
  name: string;
  /** Whom pages that show answers must name. */
  sources?: { name: string; url: string }[];
}
/** One page of a list. */
export interface Page<T> {
  data: T[];
  next_cursor?: string | null;
}

export class ApiError extends Error {
  constructor(
    message: string,
    /** 0: the server could not be reached. */
    readonly status: number,
    readonly code: string,
    readonly request_id: string,
    readonly retry_after_seconds: number,
    /** The name of what was wrong in the request; "" when it was no single field. */
    readonly field = '',
  ) {
    super(message);
  }
}

/** How requests say who asks. */
export interface Credentials {
  /** Cookies are sent along. */
  cookies: boolean;
  headers(path: string): Record<string, string>;
  /** After a 401: whether asking once more can help. */
  renew(): Promise<boolean>;
}
export const key_credentials = (key: string): Credentials => ({
  cookies: false,
  headers: () => ({ authorization: `Bearer ${key}` }),
  renew: async () => false,
});
/** For signing in: cookies are taken, but there is nobody yet. */
export const nobody: Credentials = { cookies: true, headers: () => ({}), renew: async () => false };

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
export interface Ask {
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** An empty one takes away what the credentials would say. */
  headers?: Record<string, string>;
}

export class Api {
  constructor(readonly credentials: Credentials) {}

  timeseries(parameters: URLSearchParams, signal?: AbortSignal): Promise<Series> {
    return this.get<Series>(`/v1/query/timeseries?${parameters}`, signal);
  }
  top(parameters: URLSearchParams, signal?: AbortSignal): Promise<Top> {
    return this.get<Top>(`/v1/query/top?${parameters}`, signal);
  }
  /** Null when the server has no such route: the heading then goes without a name. */
  async tenant(): Promise<Tenant | null> {
    try {
      return await this.get<Tenant>('/v1/tenant');
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }
  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.ask<T>('GET', path, { signal });
  }

  /** Undefined for an answer without a body. */
  async ask<T = undefined>(method: Method, path: string, ask: Ask = {}): Promise<T> {
    let response = await this.send(method, path, ask);
    if (response.status === 401 && (await this.credentials.renew())) response = await this.send(method, path, ask);
    const text = await response.text().catch(() => '');
    let body: unknown;
    try {
      body = text ? JSON.parse(text) : undefined;
    } catch {
      body = null;
    }
    if (!response.ok) throw refusal(response, body);
    if (body === null) throw new ApiError('The server sent an answer that is not JSON.', response.status, 'bad_answer', '', 0);
    return body as T;
  }

  private async send(method: Method, path: string, { body, signal, headers }: Ask): Promise<Response> {
    const lines = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...this.credentials.headers(path),
      ...headers,
    };
    try {
      return await fetch(path, {
        method,
        headers: Object.entries(lines).filter(([, value]) => value),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        cache: 'no-store',
        credentials: this.credentials.cookies ? 'same-origin' : 'omit',
        signal: signal ?? null,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError('The server could not be reached. Check that it is running and that you are online.', 0, 'unreachable', '', 0);
    }
  }
}

function refusal(response: Response, body: unknown): ApiError {
  const answer = body as { error?: { message?: string; code?: string; field?: string }; request_id?: string } | null | undefined;
  const told = answer?.error;
  return new ApiError(
    told?.message ?? `The server answered with status ${response.status}.`,
    response.status,
    told?.code ?? '',
    answer?.request_id ?? '',
    Number(response.headers.get('retry-after')) || 0,
    told?.field ?? '',
  );
}

/** What to tell people: the server's words, and how long to wait where that is known. */
export function error_text(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  const seconds = error.retry_after_seconds;
  if (error.status !== 429 || seconds <= 0) return error.message;
  const time = seconds < 90 ? `${seconds} second${seconds === 1 ? '' : 's'}` : `${Math.ceil(seconds / 60)} minutes`;
  return `${error.message.replace(/[.]$/, '')}. Try again in ${time}.`;
}
