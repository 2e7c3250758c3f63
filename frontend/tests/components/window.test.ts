import { expect, it } from 'vitest'

import { windowOf } from '@/components/window'

it('of 10,000 rows only those near the view exist', () => {
  const view = windowOf(10_000, 40, 200_000, 800)

  expect(view.last - view.first).toBeLessThan(50)
  expect(view.before + view.after + (view.last - view.first) * 40).toBe(400_000)
})

it('the end of the list is shown when the view is scrolled past it', () => {
  expect(windowOf(10, 40, 99_999, 800)).toEqual({ first: 0, last: 10, before: 0, after: 0 })
})
