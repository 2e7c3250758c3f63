import { expect, it } from 'vitest'

import { safeLink } from '@/format/link'
import { bytes, count } from '@/format/number'

it.each([
  [512, '512 B'],
  [812_345, '793.3 KB'],
  [123_456_789_012, '115 GB'],
])('%d bytes are %s', (size, text) => {
  expect(bytes(size, 'en')).toBe(text)
})

it('counts are grouped by locale', () => {
  expect(count(1_204, 'zh-CN')).toBe('1,204')
})

it('only web addresses become links', () => {
  expect(safeLink('https://example.org/')).toBe('https://example.org/')
  expect(safeLink('javascript:alert(1)')).toBeUndefined()
  expect(safeLink(null)).toBeUndefined()
})
