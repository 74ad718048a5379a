// SPDX-License-Identifier: Apache-2.0
// Builds the page into dist/: relative addresses, nothing inlined, so that the strictest content policy suits it.
import { readFileSync } from 'node:fs';
import { defineConfig } from 'vite';

// The licence of what we ship inside the bundle travels with it.
const licences = {
  name: 'millrace-licences',
  generateBundle() {
    const licence = (name) => `${name}\n\n${readFileSync(new URL(`node_modules/${name}/LICENSE`, import.meta.url), 'utf8')}`;
    this.emitFile({ type: 'asset', fileName: 'licences.txt', source: ['uplot', 'uqr'].map(licence).join('\n') });
  },
};

export default defineConfig({
  base: './',
  plugins: [licences],
  build: { target: 'es2020', assetsInlineLimit: 0, modulePreload: false, reportCompressedSize: true },
  // During development the API is a server of your own, or tests/e2e/page_mock.mjs.
  server: { proxy: { '/v1': process.env.MILLRACE_URL ?? 'http://127.0.0.1:8090' } },
});
