/**
 * What of JSON Schema a form field is made of.
 *
 * The dialect is a subset of 2020-12, as pydantic writes it. A schema this file does not know becomes a
 * JSON textarea with a warning: a new platform may be clumsy to fill in, but never breaks the page.
 */

import type { JsonSchema, Text } from '@/api/types'

export interface Choice {
  value: string | number | boolean
  label: Text | string
}

interface Common {
  name: string
  label: Text | string
  help: Text | string | null
  placeholder: Text | string | null
  unit: string | null
  isRequired: boolean
  isAdvanced: boolean
  order: number
  fallback: unknown
  visibleWhen: { field: string; equals: unknown } | null
}

export type Field = Common &
  (
    | { kind: 'text' | 'textarea' | 'password' | 'url' | 'date' | 'date-time' | 'media'; minLength: number; maxLength: number | null }
    | { kind: 'number'; isInteger: boolean; min: number | null; max: number | null; step: number | null }
    | { kind: 'switch' }
    | { kind: 'select' | 'multiselect'; choices: Choice[] }
    | { kind: 'tags'; minItems: number; maxItems: number | null; isUrl: boolean }
    | { kind: 'object'; fields: Field[] }
    | { kind: 'json' }
  )

interface Hints {
  widget?: string
  order?: number
  group?: string
  placeholder?: Text | string
  help?: Text | string
  unit?: string
}

const ADVANCED = new Set(['高级', 'advanced'])
const MAX_REFS = 10

/** The fields of an object schema in the order they are shown, each with its kind. */
export function resolveFields(root: JsonSchema, schema: JsonSchema = root, isNested = false): Field[] {
  const required = new Set(schema.required ?? [])
  const conditions = conditionsOf(schema)
  return Object.entries(allProperties(schema))
    .map(([name, property], index) => {
      const field = resolveField(root, name, property, { isRequired: required.has(name), index, isNested })
      return { ...field, visibleWhen: field.visibleWhen ?? conditions.get(name) ?? null }
    })
    .sort((a, b) => a.order - b.order)
}

interface Place {
  isRequired: boolean
  index: number
  isNested: boolean
}

export function resolveField(root: JsonSchema, name: string, property: JsonSchema, place: Place): Field {
  const schema = settle(root, property)
  const hints = (schema['x-ui'] ?? {}) as Hints
  const common: Common = {
    name,
    label: labelOf(schema, name),
    help: hints.help ?? descriptionOf(schema),
    placeholder: hints.placeholder ?? null,
    unit: hints.unit ?? null,
    isRequired: place.isRequired,
    isAdvanced: ADVANCED.has(hints.group ?? ''),
    order: hints.order ?? 1_000 + place.index,
    fallback: schema['default'] ?? schema['const'],
    visibleWhen: (schema['x-visible-when'] as Common['visibleWhen']) ?? null,
  }
  return { ...common, ...kindOf(root, schema, hints, place.isNested) } as Field
}

type Kind = Record<string, unknown> & { kind: Field['kind'] }

function kindOf(root: JsonSchema, schema: JsonSchema, hints: Hints, isNested: boolean): Kind {
  const choices = choicesOf(schema)
  if (choices) return { kind: 'select', choices }
  switch (schema.type) {
    case 'string':
      return textKind(schema, hints)
    case 'integer':
    case 'number':
      return numberKind(schema)
    case 'boolean':
      return { kind: 'switch' }
    case 'array':
      return arrayKind(root, schema)
    case 'object':
      return objectKind(root, schema, isNested)
    default:
      return { kind: 'json' }
  }
}

const FORMATS: Record<string, Field['kind']> = {
  uri: 'url',
  url: 'url',
  date: 'date',
  'date-time': 'date-time',
  textarea: 'textarea',
  password: 'password',
  'x-media': 'media',
}

function textKind(schema: JsonSchema, hints: Hints): Kind {
  const kind = FORMATS[hints.widget ?? ''] ?? FORMATS[String(schema['format'] ?? '')] ?? 'text'
  return { kind, minLength: numberOr(schema['minLength'], 0), maxLength: numberOrNull(schema['maxLength']) }
}

function numberKind(schema: JsonSchema): Kind {
  const isInteger = schema.type === 'integer'
  const step = numberOrNull(schema['multipleOf']) ?? (isInteger ? 1 : null)
  const nudge = isInteger ? 1 : 0
  const above = numberOrNull(schema['exclusiveMinimum'])
  const below = numberOrNull(schema['exclusiveMaximum'])
  return {
    kind: 'number',
    isInteger,
    step,
    min: numberOrNull(schema['minimum']) ?? (above === null ? null : above + nudge),
    max: numberOrNull(schema['maximum']) ?? (below === null ? null : below - nudge),
  }
}

function arrayKind(root: JsonSchema, schema: JsonSchema): Kind {
  const items = schema['items']
  if (typeof items !== 'object' || items === null || 'prefixItems' in schema) return { kind: 'json' }
  const item = settle(root, items as JsonSchema)
  const choices = choicesOf(item)
  if (choices) return { kind: 'multiselect', choices }
  if (item.type !== 'string') return { kind: 'json' }
  const isUrl = item['format'] === 'uri' || item['format'] === 'url'
  return { kind: 'tags', minItems: numberOr(schema['minItems'], 0), maxItems: numberOrNull(schema['maxItems']), isUrl }
}

function objectKind(root: JsonSchema, schema: JsonSchema, isNested: boolean): Kind {
  if (isNested || Object.keys(schema.properties ?? {}).length === 0) return { kind: 'json' }
  return { kind: 'object', fields: resolveFields(root, schema, true) }
}

/** enum, oneOf/anyOf of consts, and const; null when the schema names no closed set. */
function choicesOf(schema: JsonSchema): Choice[] | null {
  const named = (schema['oneOf'] ?? schema['anyOf']) as JsonSchema[] | undefined
  if (named?.every((entry) => 'const' in entry)) {
    return named.map((entry) => ({ value: entry['const'] as Choice['value'], label: labelOf(entry, String(entry['const'])) }))
  }
  const values = schema['enum'] as Choice['value'][] | undefined
  if (!Array.isArray(values)) return null
  const names = (schema['x-enum-titles'] ?? {}) as Record<string, Text | string>
  return values.filter((value) => value !== null).map((value) => ({ value, label: names[String(value)] ?? String(value) }))
}

/** Follow $ref and allOf of one, and take `T | null` as T: what pydantic writes for nested and optional fields. */
function settle(root: JsonSchema, property: JsonSchema): JsonSchema {
  let schema = property
  for (let step = 0; step < MAX_REFS; step += 1) {
    const inner = innerOf(root, schema)
    if (inner === null) return schema
    const { $ref: _ref, allOf: _all, anyOf: _any, ...outer } = schema
    if (Array.isArray(outer.type)) delete outer.type
    schema = { ...inner, ...outer }
  }
  return {}
}

function innerOf(root: JsonSchema, schema: JsonSchema): JsonSchema | null {
  if (typeof schema['$ref'] === 'string') return lookUp(root, schema['$ref'])
  const all = schema['allOf'] as JsonSchema[] | undefined
  if (all?.length === 1) return all[0]!
  const any = schema['anyOf'] as JsonSchema[] | undefined
  const real = any?.filter((entry) => entry.type !== 'null')
  if (any && real?.length === 1 && real.length < any.length) return real[0]!
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((name) => name !== 'null')
    return types.length === 1 && types.length < schema.type.length ? { type: types[0]! } : null
  }
  return null
}

function lookUp(root: JsonSchema, ref: string): JsonSchema {
  if (!ref.startsWith('#/')) return {}
  const steps = ref.slice(2).split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  let place: unknown = root
  for (const step of steps) place = typeof place === 'object' && place !== null ? (place as JsonSchema)[step] : undefined
  return typeof place === 'object' && place !== null ? (place as JsonSchema) : {}
}

function labelOf(schema: JsonSchema, name: string): Text | string {
  const i18n = schema['x-i18n'] as Record<string, unknown> | undefined
  const [zh, en] = [i18n?.['zh'] ?? i18n?.['zh-CN'], i18n?.['en']].map(titleIn)
  const title = schema.title
  if (zh || en) return { zh: zh ?? title ?? name, en: en ?? title ?? name }
  return title ?? name
}

/** A description is one language; beside a Chinese title it is the English one. */
function descriptionOf(schema: JsonSchema): Text | string | null {
  if (schema.description === undefined) return null
  return schema['x-i18n'] === undefined ? schema.description : { zh: '', en: schema.description }
}

function titleIn(entry: unknown): string | undefined {
  if (typeof entry === 'string') return entry
  if (typeof entry === 'object' && entry !== null) return (entry as { title?: string }).title
  return undefined
}

function allProperties(schema: JsonSchema): Record<string, JsonSchema> {
  const then = schema['then'] as JsonSchema | undefined
  return { ...schema.properties, ...then?.properties }
}

/** `if: {properties: {a: {const: 1}}}, then: {properties: {b}}`: b is seen when a is 1. */
function conditionsOf(schema: JsonSchema): Map<string, { field: string; equals: unknown }> {
  const when = Object.entries((schema['if'] as JsonSchema | undefined)?.properties ?? {})
  const then = schema['then'] as JsonSchema | undefined
  const [condition] = when
  if (when.length !== 1 || condition === undefined || !('const' in condition[1])) return new Map()
  const names = Object.keys(then?.properties ?? {}).filter((name) => !(name in (schema.properties ?? {})))
  return new Map(names.map((name) => [name, { field: condition[0], equals: condition[1]['const'] }]))
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}

function numberOr(value: unknown, other: number): number {
  return typeof value === 'number' ? value : other
}
