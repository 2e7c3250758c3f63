import { expect, it } from 'vitest'

import { resolveFields } from '@/schema-form/resolve'
import { apartOf } from '@/tasks/apart'

const urls = resolveFields({
  type: 'object',
  properties: { start_urls: { type: 'array', items: { type: 'string', format: 'uri' } }, max_pages: { type: 'integer' } },
})

it('each address of a list is a task with the other parameters', () => {
  const apart = apartOf(urls, { start_urls: ['https://a.example/', 'https://b.example/'], max_pages: 5 })

  expect(apart?.entries.map(apart.paramsOf)).toEqual([
    { start_urls: ['https://a.example/'], max_pages: 5 },
    { start_urls: ['https://b.example/'], max_pages: 5 },
  ])
})

it('each line of a prompt is a task, and one line is nothing to part', () => {
  const fields = resolveFields({ type: 'object', properties: { prompt: { type: 'string', 'x-ui': { widget: 'textarea' } } } })

  expect(apartOf(fields, { prompt: '海边\n\n 雪山 ' })?.entries).toEqual(['海边', '雪山'])
  expect(apartOf(fields, { prompt: '海边' })).toBeNull()
})
