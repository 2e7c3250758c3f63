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

it('what cannot run now is no example', () => {
  const away = platform('web', { availability: { available: false, reason: 'NO_BROWSER', advice: null } })
  const locked = platform('xhs', { auth: { needed: true, state: 'ok' } })

  expect(firstExamples([away, locked, platform('rss')]).map((example) => example.platform)).toEqual(['rss'])
})
