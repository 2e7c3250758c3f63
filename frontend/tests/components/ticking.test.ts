import { expect, it, vi } from 'vitest'
import { effectScope, nextTick, ref } from 'vue'

import { useTicking } from '@/app/now'

it('ticks only while there is something to count', async () => {
  vi.useFakeTimers()
  const since = ref<number | undefined>()
  const scope = effectScope()
  const elapsed = scope.run(() => useTicking(() => since.value))!
  expect(vi.getTimerCount()).toBe(0)

  since.value = performance.now()
  await nextTick()
  vi.advanceTimersByTime(300)

  expect(elapsed.value).toBeGreaterThanOrEqual(300)
  since.value = undefined
  await nextTick()
  expect([elapsed.value, vi.getTimerCount()]).toEqual([0, 0])
  scope.stop()
})
