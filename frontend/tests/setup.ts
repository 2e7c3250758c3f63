import { cleanup } from '@testing-library/vue'
import { afterEach, vi } from 'vitest'

import { forgetCancels } from '@/tasks/cancel'
import { forgetTasks } from '@/tasks/known'

afterEach(() => {
  cleanup()
  forgetCancels()
  forgetTasks()
  localStorage.clear()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})
