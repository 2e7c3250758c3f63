import { describe, expect, it } from 'vitest'

import { resolveFields } from '@/schema-form/resolve'
import { complaintsOf, initialValues, paramsOf, problemsOf, splitLines } from '@/schema-form/values'

const FIELDS = resolveFields({
  type: 'object',
  required: ['start_urls'],
  properties: {
    start_urls: { type: 'array', items: { type: 'string', format: 'uri' }, minItems: 1 },
    max_pages: { type: 'integer', default: 100 },
    deep: { type: 'boolean', default: true },
    selectors: { type: 'object', additionalProperties: { type: 'string' } },
    scope: { type: 'object', properties: { prefix: { type: 'string', format: 'uri' } } },
    mode: { enum: ['a', 'b'] },
    only_b: { type: 'string', 'x-visible-when': { field: 'mode', equals: 'b' } },
  },
})

describe('values', () => {
  it('begin with the defaults, under what is given', () => {
    expect(initialValues(FIELDS, { max_pages: 5 })).toMatchObject({ max_pages: 5, deep: true, start_urls: [], selectors: '' })
  })

  it('come back as parameters without what is empty or hidden', () => {
    const values = { ...initialValues(FIELDS, {}), start_urls: ['https://a.example/'], mode: 'a', only_b: 'hidden' }

    expect(paramsOf(FIELDS, values)).toEqual({ start_urls: ['https://a.example/'], max_pages: 100, deep: true, mode: 'a' })
  })

  it('of a JSON field are parsed', () => {
    expect(paramsOf(FIELDS, { selectors: '{"title": "h1"}' })).toEqual({ selectors: { title: 'h1' } })
  })
})

describe('complaints', () => {
  it('name what is missing and what cannot be read', () => {
    const values = { ...initialValues(FIELDS, {}), selectors: '{', scope: { prefix: 'nowhere' } }

    expect(complaintsOf(FIELDS, values)).toEqual({
      start_urls: { key: 'required', limit: 0 },
      selectors: { key: 'notJson', limit: 0 },
      'scope.prefix': { key: 'notUrl', limit: 0 },
    })
  })

  it('are none about hidden fields', () => {
    const fields = resolveFields({
      required: ['b'],
      properties: { a: { enum: ['x', 'y'] }, b: { type: 'string', 'x-visible-when': { field: 'a', equals: 'x' } } },
    })

    expect(complaintsOf(fields, { a: 'y', b: null })).toEqual({})
  })
})

describe("the server's complaints", () => {
  const error = (path: string) => ({ path, code: 'X', message: path })

  it('go to their field, with the place in a list', () => {
    const { problems, rest } = problemsOf(FIELDS, [error('params.start_urls.1'), error('params.scope.prefix'), error('params.max_pages')])

    expect(problems).toEqual({
      start_urls: [{ message: 'params.start_urls.1', index: 1 }],
      'scope.prefix': [{ message: 'params.scope.prefix', index: null }],
      max_pages: [{ message: 'params.max_pages', index: null }],
    })
    expect(rest).toEqual([])
  })

  it('about no field are kept', () => {
    expect(problemsOf(FIELDS, [error('labels.0'), error('params')]).rest).toHaveLength(2)
  })
})

it('pasted lines are trimmed, and each is there once', () => {
  expect(splitLines(' a \r\nb\n\n a\tc ')).toEqual(['a', 'b', 'c'])
})
