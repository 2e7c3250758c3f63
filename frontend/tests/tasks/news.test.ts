import { QueryClient } from '@tanstack/vue-query'
import { beforeEach, describe, expect, it } from 'vitest'

import type { TaskList, TaskRecord, TaskSummary } from '@/api/types'
import type { StreamEvent } from '@/stream/source'
import { keys } from '@/tasks/live'
import { applyNews } from '@/tasks/news'
import { aTask, cancelledTask } from '../task'

const NEWEST = { sort: '-created_at', limit: 50 }
let queries: QueryClient

function list(query: object, items: TaskSummary[]): void {
  const data: TaskList = { items, next_cursor: null, total: items.length, total_is_capped: false, stream_cursor: 'e.1' }
  queries.setQueryData(keys.list(query), data)
}

const shown = (query: object) => queries.getQueryData<TaskList>(keys.list(query))!.items.map(({ task_id, status }) => [task_id, status])

function say(task: TaskSummary, name: 'task.created' | 'task.updated' = 'task.updated'): StreamEvent {
  return { name, data: { task, final: task.is_final } }
}

beforeEach(() => {
  queries = new QueryClient()
})

describe('news of the stream', () => {
  it('puts a new task on top of a list it belongs in, and in no other', () => {
    list(NEWEST, [aTask({ task_id: 'old' })])
    list({ ...NEWEST, platform: 'rss' }, [])

    applyNews(queries, [say(aTask({ task_id: 'new', created_at: '2026-11-21T09:00:00.000Z' }), 'task.created')])

    expect(shown(NEWEST)).toEqual([['new', 'running'], ['old', 'running']])
    expect(shown({ ...NEWEST, platform: 'rss' })).toEqual([])
  })

  it('said twice changes nothing', () => {
    list(NEWEST, [])
    const event = say(aTask({ task_id: 'new' }), 'task.created')

    applyNews(queries, [event])
    applyNews(queries, [event, event])

    expect(shown(NEWEST)).toEqual([['new', 'running']])
  })

  it('that come late never show a cancelled task as running, in a list that it had left neither', () => {
    const active = { ...NEWEST, status: ['active'] }
    list(NEWEST, [aTask({ version: 5 })])
    list(active, [aTask({ version: 5 })])

    applyNews(queries, [say(cancelledTask({ version: 9 }))])
    applyNews(queries, [say(aTask({ version: 6 }))])

    expect(shown(NEWEST)).toEqual([['t_1', 'cancelled']])
    expect(shown(active)).toEqual([])
  })

  it('moves progress at the same version', () => {
    list(NEWEST, [aTask({ version: 5 })])
    const progress = { done: 400, total: 500, unit: 'page', rate: null, eta_s: null, stage: 'fetch' as const }

    applyNews(queries, [say(aTask({ version: 5, progress }))])

    expect(queries.getQueryData<TaskList>(keys.list(NEWEST))?.items[0]?.progress?.done).toBe(400)
  })

  it('keeps of the open record what a summary has not', () => {
    queries.setQueryData<TaskRecord>(keys.task('t_1'), aTask({ version: 5, params: { max_pages: 7 } }))

    const { params: _params, history: _history, ...summary } = cancelledTask({ version: 9 })
    applyNews(queries, [say(summary as TaskSummary)])

    const record = queries.getQueryData<TaskRecord>(keys.task('t_1'))
    expect([record?.status, record?.params]).toEqual(['cancelled', { max_pages: 7 }])
  })

  it('of a resync has everything that is shown read anew', () => {
    list(NEWEST, [])

    applyNews(queries, [{ name: 'resync', data: { reason: 'flushed', stream_cursor: 'f.1' } }])

    expect(queries.getQueryState(keys.list(NEWEST))?.isInvalidated).toBe(true)
  })
})
