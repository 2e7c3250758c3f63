import { expect, it } from 'vitest'

import type { Platform } from '@/api/types'
import { firstExamples } from '@/tasks/examples'

function platform(id: string, change: Partial<Platform> = {}): Platform {
  const title = { zh: id, en: id }
  return {
    id,
    kind: 'crawl',
    title,
    icon: 'globe',
    default_type: 'main',
    types: [{ id: 'main', title, schema: { type: 'object' }, defaults: {}, examples: [{ title, params: { of: id } }] }],
    capabilities: [],
    limits: { max_running: null, min_interval_s: null },
    auth: { needed: false, state: 'none' },
    availability: { available: true, reason: null, advice: null },
    live_checked_at: null,
    ...change,
  }
}

it('the first examples are three that need no login, the teaching ones first', () => {
  const all = ['hackernews', 'storyboard', 'web', 'rss', 'other'].map((id) => platform(id))

  expect(firstExamples(all).map((example) => example.platform)).toEqual(['rss', 'web', 'storyboard'])
})

it('a second example of a platform fills what is left', () => {
  const title = { zh: 'x', en: 'x' }
  const types = ['main', 'other'].map((id) => ({ id, title, schema: {}, defaults: {}, examples: [{ title, params: { of: id } }] }))

  const shown = firstExamples([platform('web', { types }), platform('storyboard')])

  expect(shown.map(({ platform: id, type }) => [id, type])).toEqual([['web', 'main'], ['storyboard', 'main'], ['web', 'other']])
})

it('what cannot run now is no example', () => {
  const away = platform('web', { availability: { available: false, reason: 'NO_BROWSER', advice: null } })
  const locked = platform('xhs', { auth: { needed: true, state: 'ok' } })

  expect(firstExamples([away, locked, platform('rss')]).map((example) => example.platform)).toEqual(['rss'])
})
