import { describe, expect, it } from 'vitest'

import type { LogLine } from '@/api/types'
import { appendLines, plainText } from '@/tasks/log'

const line = (seq: number): LogLine => ({ seq, at: '2026-11-21T08:00:00.000Z', level: 'info', message: `${seq}`, fields: {} })

describe('appendLines', () => {
  it('adds each line once', () => {
    const lines = appendLines([line(1), line(2)], [line(2), line(3)])

    expect(lines.map(({ seq }) => seq)).toEqual([1, 2, 3])
  })

  it('drops the oldest above the limit', () => {
    expect(appendLines([line(1), line(2)], [line(3)], 2).map(({ seq }) => seq)).toEqual([2, 3])
  })

  it('gives back the same list when nothing is new', () => {
    const lines = [line(1)]

    expect(appendLines(lines, [line(1)])).toBe(lines)
  })
})

it('colour codes are taken out of a line', () => {
  expect(plainText('\u001b[31mred\u001b[0m text')).toBe('red text')
})
