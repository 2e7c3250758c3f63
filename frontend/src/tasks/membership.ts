/** Which tasks belong in a list, as the server would judge it, and where. */

import type { TaskList, TaskListQuery, TaskSummary } from '@/api/types'
import { newer } from './merge'

/** A list that grew longer than this by what came is read anew instead. */
export const MOST_ROWS = 400

const ORDER = '-created_at'

function asList(value: unknown): string[] {
  if (value === undefined || value === null || value === '') return []
  return Array.isArray(value) ? value.map(String) : String(value).split(',')
}

/** True when `task` matches the filters; null when they ask for what only the server knows. */
export function fits(query: TaskListQuery, task: TaskSummary): boolean | null {
  const { status, kind, platform, created_by: maker, ids, q, sort: _sort, limit: _limit, facets: _facets, ...others } = query
  const statuses = asList(status)
  const isWanted =
    (statuses.length === 0 || statuses.includes(task.status) || (statuses.includes('active') && !task.is_final)) &&
    (!kind || task.kind === kind) &&
    (!platform || task.platform === platform) &&
    (!maker || task.created_by === maker) &&
    (ids === undefined || asList(ids).includes(task.task_id)) &&
    (!q || task.title.toLowerCase().includes(q.toLowerCase()))
  if (!isWanted) return false
  return Object.values(others).some((value) => value !== undefined && value !== null) ? null : true
}

/** The list after `task` changed: in its place, out, or in; the same list when it is not touched. */
export function placed(list: TaskList, query: TaskListQuery, task: TaskSummary): TaskList {
  const index = list.items.findIndex((row) => row.task_id === task.task_id)
  const stored = list.items[index]
  if (stored === undefined) return fits(query, task) === true ? inserted(list, query, task) : list
  const merged = newer(stored, task)
  if (merged === stored) return list
  if (fits(query, merged) === false) {
    return { ...list, total: Math.max(0, list.total - 1), items: list.items.filter((row) => row !== stored) }
  }
  return { ...list, items: list.items.map((row) => (row === stored ? merged : row)) }
}

function inserted(list: TaskList, query: TaskListQuery, task: TaskSummary): TaskList {
  if (query.sort !== ORDER) return list
  const at = list.items.findIndex((row) => isBefore(task, row))
  // Below the end of this page there are others, which are not known.
  if (at < 0 && list.next_cursor !== null) return list
  const index = at < 0 ? list.items.length : at
  return { ...list, total: list.total + 1, items: [...list.items.slice(0, index), task, ...list.items.slice(index)] }
}

function isBefore(task: TaskSummary, row: TaskSummary): boolean {
  return task.created_at === row.created_at ? task.task_id > row.task_id : task.created_at > row.created_at
}
