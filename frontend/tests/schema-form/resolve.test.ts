import { describe, expect, it } from 'vitest'

import type { JsonSchema } from '@/api/types'
import { type Field, resolveField, resolveFields } from '@/schema-form/resolve'

const PLACE = { isRequired: false, index: 0, isNested: false }
const fieldOf = (schema: JsonSchema, root: JsonSchema = {}): Field => resolveField(root, 'name', schema, PLACE)

describe('the kind of a field', () => {
  it.each<[string, JsonSchema, Field['kind']]>([
    ['a string', { type: 'string' }, 'text'],
    ['a long string', { type: 'string', format: 'textarea' }, 'textarea'],
    ['a long string by hint', { type: 'string', 'x-ui': { widget: 'textarea' } }, 'textarea'],
    ['a secret', { type: 'string', format: 'password' }, 'password'],
    ['an address', { type: 'string', format: 'uri' }, 'url'],
    ['a day', { type: 'string', format: 'date' }, 'date'],
    ['a time', { type: 'string', format: 'date-time' }, 'date-time'],
    ['a file', { type: 'string', format: 'x-media' }, 'media'],
    ['an integer', { type: 'integer' }, 'number'],
    ['a number', { type: 'number' }, 'number'],
    ['a boolean', { type: 'boolean' }, 'switch'],
    ['a choice', { enum: ['a', 'b'] }, 'select'],
    ['a named choice', { oneOf: [{ const: 'a', title: 'A' }] }, 'select'],
    ['several choices', { type: 'array', items: { enum: ['a', 'b'] } }, 'multiselect'],
    ['a list of texts', { type: 'array', items: { type: 'string' } }, 'tags'],
    ['an optional value', { anyOf: [{ type: 'integer' }, { type: 'null' }] }, 'number'],
    ['an optional value, short', { type: ['string', 'null'] }, 'text'],
    ['a nested object', { type: 'object', properties: { a: { type: 'string' } } }, 'object'],
  ])('%s', (_claim, schema, kind) => {
    expect(fieldOf(schema).kind).toBe(kind)
  })

  it.each<[string, JsonSchema]>([
    ['a union', { anyOf: [{ type: 'integer' }, { type: 'string' }] }],
    ['a map', { type: 'object', additionalProperties: { type: 'string' } }],
    ['a list of objects', { type: 'array', items: { type: 'object' } }],
    ['a tuple', { type: 'array', prefixItems: [{ type: 'string' }] }],
    ['nothing known', { 'x-strange': true }],
    ['a reference to nowhere', { $ref: '#/$defs/Gone' }],
    ['a reference to elsewhere', { $ref: 'https://example.org/schema.json' }],
  ])('%s becomes JSON', (_claim, schema) => {
    expect(fieldOf(schema).kind).toBe('json')
  })

  it('an object inside an object inside becomes JSON', () => {
    const deep = { type: 'object', properties: { b: { type: 'object', properties: { c: { type: 'string' } } } } }

    const field = fieldOf(deep)

    expect(field.kind === 'object' && field.fields[0]?.kind).toBe('json')
  })

  it('a reference is followed, and what stands beside it wins', () => {
    const root = { $defs: { Sort: { type: 'string', enum: ['new', 'hot'], title: 'Sort' } } }

    const field = fieldOf({ $ref: '#/$defs/Sort', default: 'hot', title: '排序' }, root)

    expect(field).toMatchObject({ kind: 'select', fallback: 'hot', label: '排序' })
  })

  it('a reference to itself ends', () => {
    expect(fieldOf({ $ref: '#/$defs/A' }, { $defs: { A: { $ref: '#/$defs/A' } } }).kind).toBe('json')
  })
})

describe('what else a field says', () => {
  it('the label falls back from the translation to the title to the name', () => {
    expect(fieldOf({ type: 'string' }).label).toBe('name')
    expect(fieldOf({ type: 'string', title: 'Title' }).label).toBe('Title')
    expect(fieldOf({ type: 'string', title: 'Title', 'x-i18n': { zh: { title: '标题' } } }).label).toEqual({ zh: '标题', en: 'Title' })
  })

  it('a description beside a Chinese title is the English help only', () => {
    expect(fieldOf({ type: 'string', description: 'Help' }).help).toBe('Help')
    expect(fieldOf({ type: 'string', description: 'Help', 'x-i18n': { zh: '标题' } }).help).toEqual({ zh: '', en: 'Help' })
  })

  it('limits of integers count their exclusive bounds', () => {
    expect(fieldOf({ type: 'integer', exclusiveMinimum: 0, maximum: 10 })).toMatchObject({ min: 1, max: 10, step: 1 })
  })

  it('fields come in the order they ask for, advanced ones marked', () => {
    const fields = resolveFields({
      type: 'object',
      required: ['b'],
      properties: {
        a: { type: 'string', 'x-ui': { group: '高级' } },
        b: { type: 'string', 'x-ui': { order: 1 } },
      },
    })

    expect(fields.map((field) => [field.name, field.isRequired, field.isAdvanced])).toEqual([
      ['b', true, false],
      ['a', false, true],
    ])
  })

  it('a field may be seen only when another has a value', () => {
    const fields = resolveFields({
      properties: { mode: { enum: ['a', 'b'] }, hint: { type: 'string', 'x-visible-when': { field: 'mode', equals: 'a' } } },
      if: { properties: { mode: { const: 'b' } } },
      then: { properties: { extra: { type: 'string' } } },
    })

    expect(fields.map((field) => [field.name, field.visibleWhen])).toEqual([
      ['mode', null],
      ['hint', { field: 'mode', equals: 'a' }],
      ['extra', { field: 'mode', equals: 'b' }],
    ])
  })
})
