import { describe, expect, it } from 'vitest'

import { clockLength, lengthBetween, logTime, relativeTime, secondsOf } from '@/format/time'

describe('clockLength', () => {
  it.each([
    [7, '0:07'],
    [80.9, '1:20'],
    [3_723, '1:02:03'],
    [-5, '0:00'],
  ])('%d s is %s', (seconds, text) => {
    expect(clockLength(seconds)).toBe(text)
  })
})

describe('secondsOf', () => {
  it.each([
    [420, '0.42'],
    [3, '0.00'],
    [9_990, '9.99'],
    [12_340, '12.3'],
  ])('%d ms is %s', (ms, text) => {
    expect(secondsOf(ms, 'zh-CN')).toBe(text)
  })
})

describe('relativeTime', () => {
  const now = Date.parse('2026-11-21T08:00:00.000Z')

  it.each([
    ['2026-11-21T07:59:58.000Z', 'zh-CN', '现在'],
    ['2026-11-21T07:59:48.000Z', 'zh-CN', '12秒钟前'],
    ['2026-11-21T07:58:00.000Z', 'zh-CN', '2分钟前'],
    ['2026-11-21T05:00:00.000Z', 'en', '3 hours ago'],
    ['2026-11-20T07:00:00.000Z', 'en', 'yesterday'],
    ['2026-11-21T09:00:00.000Z', 'en', 'in 1 hour'],
  ])('%s in %s is %s', (at, locale, text) => {
    expect(relativeTime(at, now, locale)).toBe(text)
  })
})

it('an unfinished length runs until now, one not begun is none', () => {
  const now = Date.parse('2026-11-21T08:00:10.000Z')

  expect(lengthBetween('2026-11-21T08:00:00.000Z', null, now)).toBe(10)
  expect(lengthBetween('2026-11-21T08:00:00.000Z', '2026-11-21T08:00:04.000Z', now)).toBe(4)
  expect(lengthBetween(null, null, now)).toBeNull()
})

it('a log time has milliseconds', () => {
  expect(logTime('2026-11-21T08:00:00.120Z')).toMatch(/^\d\d:\d\d:00\.120$/)
})
