// SPDX-License-Identifier: Apache-2.0
// Asks the server questions with the tenant's key; every failure becomes one ApiError with the server's own words.

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
}

export class ApiError extends Error {
  constructor(
    message: string,
    /** 0: the server could not be reached. */
    readonly status: number,
    readonly code: string,
    readonly request_id: string,
    readonly retry_after_seconds: number,
  ) {
    super(message);
  }
}

export class Api {
  constructor(readonly key: string) {}

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

  private async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    let response: Response;
    try {
      response = await fetch(path, {
        headers: { authorization: `Bearer ${this.key}`, accept: 'application/json' },
        cache: 'no-store',
        credentials: 'omit',
        signal: signal ?? null,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError('The server could not be reached. Check that it is running and that you are online.', 0, 'unreachable', '', 0);
    }
    const body = await response.json().catch(() => null);
    if (!response.ok) {
      const told = body?.error;
      const message = told?.message ?? `The server answered with status ${response.status}.`;
      throw new ApiError(
        message,
        response.status,
        told?.code ?? '',
        body?.request_id ?? '',
        Number(response.headers.get('retry-after')) || 0,
      );
    }
    if (body === null) throw new ApiError('The server sent an answer that is not JSON.', response.status, 'bad_answer', '', 0);
    return body as T;
  }
}
