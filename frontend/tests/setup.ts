import { cleanup, configure } from '@testing-library/vue'
import { afterEach, vi } from 'vitest'

import { forgetCancels } from '@/tasks/cancel'
import { forgetTasks } from '@/tasks/known'

// A machine that builds beside the tests is slow; what is awaited comes or it does not.
configure({ asyncUtilTimeout: 20_000 })
// What no test serves goes nowhere, and to no port of this machine.
globalThis.fetch = () => Promise.reject(new TypeError('no test serves this'))

afterEach(async () => {
  vi.useRealTimers()
  cleanup()
  // What a component still sends as it goes is for the server of its own test.
  await new Promise((resolve) => setTimeout(resolve))
  forgetCancels()
  forgetTasks()
  localStorage.clear()
  vi.unstubAllGlobals()
})
