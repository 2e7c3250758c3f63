// Writes src/api/generated.ts from the server's own OpenAPI document; with --check only says whether it still fits.
//   npm run api                       from the server on 127.0.0.1:8888
//   npm run api -- FILE_OR_URL        from another
//   npm run api -- --check FILE_OR_URL

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

import openapiTS, { astToString } from 'openapi-typescript'

const words = process.argv.slice(2)
const isCheck = words.includes('--check')
const source = words.find((word) => !word.startsWith('--')) ?? 'http://127.0.0.1:8888/openapi.json'
const target = new URL('../src/api/generated.ts', import.meta.url)

const document = existsSync(source) ? pathToFileURL(source) : new URL(source)
const head = '// Made by `npm run api` from the server\'s /openapi.json. Do not edit.\n\n'
const text = head + astToString(await openapiTS(document, { defaultNonNullable: false }))

if (!isCheck) {
  writeFileSync(target, text)
  console.log(`src/api/generated.ts: ${text.split('\n').length} lines`)
} else if (readFileSync(target, 'utf8') !== text) {
  console.error('src/api/generated.ts is not what the server says: start the server and run `npm run api`')
  process.exit(1)
}
