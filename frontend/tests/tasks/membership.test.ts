import { describe, expect, it } from 'vitest'

import type { TaskList, TaskListQuery, TaskSummary } from '@/api/types'
import type { Me } from '@/api/me'
import { tellsMakers } from '@/tasks/me'
import { fits, placed } from '@/tasks/membership'
import { aTask } from '../task'

const LATEST = { sort: '-created_at', limit: 50 } as TaskListQuery

const aList = (items: TaskSummary[], next_cursor: string | null = null) =>
  ({ items, next_cursor, total: items.length, total_is_capped: false, stream_cursor: null, facets: null }) as unknown as TaskList

const at = (id: string, second: number, more: Partial<TaskSummary> = {}) =>
  aTask({ task_id: id, created_at: `2026-11-21T08:00:0${second}.000Z`, ...more })

const ids = (list: TaskList) => list.items.map((task) => task.task_id)

describe('which tasks belong in a list', () => {
  it.each<[string, TaskListQuery, boolean]>([
    ['a maker', { created_by: '安娜' }, true],
    ['another maker', { created_by: 'bo' }, false],
    ['a maker and a state', { created_by: '安娜', status: ['failed'] }, false],
    ['all that have not ended', { created_by: '安娜', status: ['active'] }, true],
    ['a word of the title', { created_by: '安娜', q: 'EXAMPLE' }, true],
    ['its id', { ids: ['t_1', 't_2'] }, true],
    ['another id', { ids: ['t_2'] }, false],
    ['another platform', { platform: 'rss' }, false],
    ['another kind', { kind: 'generate' }, false],
  ])('is judged by %s', (_, query, expected) => {
    expect(fits(query, aTask({ created_by: '安娜' }))).toBe(expected)
  })

  it('is the server to judge when it asks for what a task does not say', () => {
    expect(fits({ created_by: 'local', label: 'spring' } as TaskListQuery, aTask())).toBeNull()
  })

  it('is no when one filter refuses, whatever the server would say of the others', () => {
    expect(fits({ created_by: 'bo', label: 'spring' } as TaskListQuery, aTask())).toBe(false)
  })
})

describe('where a task goes in a list', () => {
  const list = aList([at('t_3', 3), at('t_1', 1)])

  it('is between those made before and after it', () => {
    const after = placed(list, LATEST, at('t_2', 2))

    expect(ids(after)).toEqual(['t_3', 't_2', 't_1'])
    expect(after.total).toBe(3)
  })

  it('is nowhere when somebody else made it and the list is of one maker', () => {
    expect(placed(list, { ...LATEST, created_by: 'local' }, at('t_2', 2, { created_by: 'bo' }))).toBe(list)
  })

  it('is nowhere below a page that others follow', () => {
    const page = aList([at('t_3', 3), at('t_1', 1)], 'next')

    expect(placed(page, LATEST, at('t_0', 0))).toBe(page)
  })

  it('is nowhere once it no longer has the state that is asked for', () => {
    const running = { ...LATEST, status: ['running'] } as TaskListQuery

    const after = placed(list, running, at('t_1', 1, { version: 2, status: 'succeeded', is_final: true }))

    expect(ids(after)).toEqual(['t_3'])
    expect(after.total).toBe(1)
  })

  it('stays what it is when the news is older than what is shown', () => {
    const newer = aList([at('t_1', 1, { version: 5 })])

    expect(placed(newer, LATEST, at('t_1', 1, { version: 4, status: 'pending' }))).toBe(newer)
  })
})

describe('whether makers are told', () => {
  const can = { manage_users: true, read_audit: true, change_all_tasks: true, set_password: false, make_tokens: false }
  const me = (name: string, via: Me['via']): Me => ({ name, via, role: 'admin', user_id: null, task_visibility: 'team', can })

  it.each<[string, Me | undefined, string[], boolean]>([
    ['not before it is known who reads', undefined, ['bo'], false],
    ['not to the one person of an open server', me('local', 'open'), ['local', 'local'], false],
    ['when others made tasks before', me('local', 'open'), ['local', 'bo'], true],
    ['always to who signed in with a name', me('安娜', 'user'), [], true],
    ['not to who has the token alone', me('token', 'token'), ['token'], false],
  ])('%s', (_, reader, makers, expected) => {
    expect(tellsMakers(reader, makers)).toBe(expected)
  })
})
