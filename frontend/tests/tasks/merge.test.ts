import { describe, expect, it } from 'vitest'

import { mergeItems, newer, replaceIn } from '@/tasks/merge'
import { aTask, cancelledTask } from '../task'

const progressOf = (done: number) => ({ done, total: 500, unit: 'page', rate: null, eta_s: null, stage: 'fetch' as const })

describe('newer', () => {
  it('ignores a record of a lower version', () => {
    const stored = aTask({ version: 8, status: 'cancelling' })

    expect(newer(stored, aTask({ version: 7 }))).toBe(stored)
  })

  it('takes a record of a higher version whole', () => {
    const incoming = aTask({ version: 9, title: 'renamed' })

    expect(newer(aTask({ version: 8 }), incoming)).toBe(incoming)
  })

  it('takes only progress and books at the same version', () => {
    const stored = aTask({ version: 8, message: 'kept', progress: progressOf(1) })
    const incoming = aTask({ version: 8, message: 'lost', progress: progressOf(2) })

    const merged = newer(stored, incoming)

    expect(merged.progress?.done).toBe(2)
    expect(merged.message).toBe('kept')
  })

  it('never goes back from a final record, whatever the version says', () => {
    const stored = cancelledTask({ version: 9 })

    expect(newer(stored, aTask({ version: 12 }))).toBe(stored)
  })

  it('moves no progress after the end', () => {
    const stored = cancelledTask({ version: 9, progress: progressOf(382) })

    expect(newer(stored, cancelledTask({ version: 9, progress: progressOf(390) })).progress?.done).toBe(382)
  })

  it('takes a final record of a higher version', () => {
    const incoming = cancelledTask({ version: 10 })

    expect(newer(cancelledTask({ version: 9 }), incoming)).toBe(incoming)
  })
})

describe('lists', () => {
  it('keep the order of the answer and the newer of each task', () => {
    const stored = [aTask({ task_id: 'a', version: 5 }), aTask({ task_id: 'b', version: 1 })]

    const merged = mergeItems(stored, [aTask({ task_id: 'b', version: 2 }), aTask({ task_id: 'a', version: 4 })])

    expect(merged.map((task) => [task.task_id, task.version])).toEqual([['b', 2], ['a', 5]])
  })

  it('stay the same list when nothing in them is newer', () => {
    const items = [aTask({ version: 5 })]

    expect(replaceIn(items, aTask({ version: 4 }))).toBe(items)
    expect(replaceIn(items, aTask({ task_id: 'elsewhere', version: 9 }))).toBe(items)
  })

  it('are a new list when a row changed', () => {
    const items = [aTask({ version: 5 })]

    const replaced = replaceIn(items, cancelledTask())

    expect(replaced).not.toBe(items)
    expect(replaced[0]?.status).toBe('cancelled')
  })
})
