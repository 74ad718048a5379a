// SPDX-License-Identifier: Apache-2.0
// How long something may take that the product promises, on a machine that does other things too.
import { availableParallelism, loadavg } from 'node:os';

/** A promise in ms, of a machine that has nothing else to do: as many programs as it has processors make it twice as long. */
export const promised = (ms) => Math.ceil(ms * (1 + loadavg()[0] / availableParallelism()));
