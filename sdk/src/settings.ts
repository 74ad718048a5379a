// SPDX-License-Identifier: Apache-2.0
// What a site may say about how it wants to be tracked.

/** granted: ids are kept on the device. cookieless: nothing is kept there, no id is sent. denied: nothing is sent. */
export type Consent = 'granted' | 'cookieless' | 'denied';

export type Properties = Record<string, unknown>;

export interface Settings {
  /** The write key. */
  key: string;
  /** Address of the server, "https://stats.example"; without it the page's own origin (script tag: where the script is from). */
  server?: string;
  /** Default: granted. */
  consent?: Consent;
  /** What Do Not Track and Global Privacy Control mean here: denied (default), cookieless, or nothing ("ignore"). */
  doNotTrack?: 'denied' | 'cookieless' | 'ignore';
  /** The part of visitors that is tracked, 0 to 1. Default: 1. */
  sample?: number;
  /** The fragment is part of the page's address: for applications that route by it. Default: false. */
  hash?: boolean;
  /** Send the whole query string; by default only campaign parameters (utm_*, ref, click ids) are. */
  query?: boolean;
  /** Paths to be sent as these patterns: "*" stands for one segment, "**" for the rest. Array, or one text with commas. */
  mask?: string | string[];
  /** Paths of which nothing is sent; patterns as in mask. */
  skip?: string | string[];
  /** Page views and page exits by themselves. Default of these six: true. */
  pages?: boolean;
  vitals?: boolean;
  errors?: boolean;
  /** Clicks on links to other sites. */
  links?: boolean;
  /** Clicks on elements with data-track. */
  clicks?: boolean;
  engagement?: boolean;
  /** Sees each event before it is queued, may change it; false drops it. */
  filter?: (event: Properties) => unknown;
}
