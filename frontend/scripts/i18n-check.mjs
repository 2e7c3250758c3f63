// Fails when the two languages differ in keys or placeholders, when the code names a key that is not there,
// or when a key is named nowhere. A key built from a template (`status.${x}`) uses all keys under its prefix.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const src = new URL('../src/', import.meta.url).pathname

function flat(node, prefix = '') {
  return Object.entries(node).flatMap(([name, value]) =>
    typeof value === 'string' ? [[prefix + name, value]] : flat(value, `${prefix}${name}.`),
  )
}

const read = (locale) => new Map(flat(JSON.parse(readFileSync(join(src, 'i18n', `${locale}.json`), 'utf8'))))
const zh = read('zh-CN')
const en = read('en')

const files = readdirSync(src, { recursive: true }).filter((name) => /\.(vue|ts)$/.test(name))
const code = files.map((name) => readFileSync(join(src, name), 'utf8')).join('\n')
const exact = new Set([...code.matchAll(/\bt\(\s*'([\w.]+)'/g), ...code.matchAll(/\?\s*'([\w]+\.[\w.]+)'\s*:/g)].map((match) => match[1]))
for (const [, first, second] of code.matchAll(/\bt\(\s*[^'`)]*\?\s*'([\w.]+)'\s*:\s*'([\w.]+)'/g)) exact.add(first).add(second)
const prefixes = [...new Set([...code.matchAll(/\bt\(\s*`([\w.]+\.)\$\{/g)].map((match) => match[1]))]

const holes = (text) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]))].sort().join()
const problems = [
  ...[...zh.keys()].filter((key) => !en.has(key)).map((key) => `missing in en: ${key}`),
  ...[...en.keys()].filter((key) => !zh.has(key)).map((key) => `missing in zh-CN: ${key}`),
  ...[...zh].filter(([key, text]) => en.has(key) && holes(text) !== holes(en.get(key))).map(([key]) => `placeholders differ: ${key}`),
  ...[...exact].filter((key) => /\./.test(key) && !zh.has(key)).map((key) => `named in the code, missing: ${key}`),
  ...prefixes.filter((prefix) => ![...zh.keys()].some((key) => key.startsWith(prefix))).map((prefix) => `no keys under: ${prefix}`),
  ...[...zh.keys()].filter((key) => !exact.has(key) && !prefixes.some((prefix) => key.startsWith(prefix))).map((key) => `unused: ${key}`),
]

if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(1)
}
console.log(`i18n: ${zh.size} keys in both languages, all used`)
