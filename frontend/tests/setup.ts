import { cleanup } from '@testing-library/vue'
import { afterEach, vi } from 'vitest'

import { forgetCancels } from '@/tasks/cancel'

afterEach(() => {
  cleanup()
  forgetCancels()
  localStorage.clear()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})
