// Fails when the built page is heavier (gzip) than design allows: what /tasks loads at first, and each chunk that comes later.

import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const KB = 1024
const INITIAL_JS = 180 * KB
const INITIAL_CSS = 20 * KB
const LAZY = 60 * KB

const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'))
const weigh = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length

/** Everything that the entry pulls in before anything is clicked. */
function reach(key, seen = new Set()) {
  if (seen.has(key)) return seen
  seen.add(key)
  for (const next of manifest[key].imports ?? []) reach(next, seen)
  return seen
}

const initial = reach('index.html')
const chunks = Object.entries(manifest)
const js = [...new Set([...initial].map((key) => manifest[key].file))]
const css = [...new Set([...initial].flatMap((key) => manifest[key].css ?? []))]
const lazy = [...new Set(chunks.filter(([key]) => !initial.has(key)).map(([, chunk]) => chunk.file))].filter((file) => /\.(js|css)$/.test(file))

const sum = (files) => files.reduce((total, file) => total + weigh(file), 0)
const kb = (size) => `${(size / KB).toFixed(1)} KB`
const lines = [
  ['initial JS on /tasks', sum(js), INITIAL_JS],
  ['initial CSS', sum(css), INITIAL_CSS],
  ...lazy.map((file) => [file, weigh(file), LAZY]),
]

for (const [name, size, limit] of lines) console.log(`${size > limit ? '✗' : '✓'} ${name}: ${kb(size)} of ${kb(limit)}`)
if (lines.some(([, size, limit]) => size > limit)) process.exit(1)
