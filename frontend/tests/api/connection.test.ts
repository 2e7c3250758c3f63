import { expect, it } from 'vitest'

import { connection, failed, isOffline, reached } from '@/app/connection'

it('questions of one moment are one failure, and an answer ends it', () => {
  reached(0)

  failed(10_000)
  failed(10_200)
  failed(12_000)

  expect([isOffline.value, connection.failures]).toEqual([true, 2])
  reached(13_000)
  expect([isOffline.value, connection.failures, connection.lastReachedAt]).toEqual([false, 0, 13_000])
})
