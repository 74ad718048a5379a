// SPDX-License-Identifier: Apache-2.0
// Builds dist/: millrace.js for a script tag (and compressed, as the server sends it), index.js and types for bundlers.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

process.chdir(fileURLToPath(new URL('.', import.meta.url)));
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
// Names between our own modules; none of them is one of a setting, of an event, or of the browser.
const INTERNAL = /^(countPage|setPerson|isSampled|setOptOut|visit|person|store|exit|active|restart|leave|isGranted|device|forget|end|state|late|rule|choose|enter|empty)$/;
const common = {
  bundle: true,
  target: 'es2021',
  charset: 'utf8',
  legalComments: 'none',
  define: { SDK_VERSION: JSON.stringify(version) },
  banner: { js: `/* Millrace ${version}, Apache-2.0 */` },
};
await build({ ...common, entryPoints: ['src/script.ts'], outfile: 'dist/millrace.js', format: 'iife', tsconfigRaw: '{}', minify: true, mangleProps: INTERNAL });
await build({ ...common, entryPoints: ['src/index.ts'], outfile: 'dist/index.js', format: 'esm' });
execFileSync('node_modules/.bin/tsc', ['--declaration', '--emitDeclarationOnly', '--stripInternal', '--outDir', 'dist'], { stdio: 'inherit' });
const compressed = gzipSync(readFileSync('dist/millrace.js'), { level: 9 });
writeFileSync('dist/millrace.js.gz', compressed);
console.log(`dist/millrace.js ${compressed.length} bytes compressed`);
