/** The one way a task's news reaches what is on the screen, whether it came from a poll, a button or (later) the stream. */

import type { QueryClient } from '@tanstack/vue-query'

import type { TaskList, TaskRecord, TaskSummary } from '@/api/types'
import { newer, replaceIn } from './merge'

export const POLL_ACTIVE_MS = 2_000
export const POLL_IDLE_MS = 15_000
export const POLL_TOTALS_MS = 5_000

export const keys = {
  tasks: ['tasks'] as const,
  list: (query: unknown) => ['tasks', query] as const,
  task: (taskId: string) => ['task', taskId] as const,
  part: (taskId: string, part: string) => ['task', taskId, part] as const,
  totals: (statuses: readonly string[]) => ['totals', ...statuses] as const,
  platforms: ['platforms'] as const,
  health: ['health'] as const,
}

export function applyTask(queries: QueryClient, task: TaskRecord): void {
  queries.setQueryData<TaskRecord>(keys.task(task.task_id), (stored) => newer(stored, task))
  queries.setQueriesData<TaskList>({ queryKey: keys.tasks }, (list) => withTask(list, task))
}

function withTask(list: TaskList | undefined, task: TaskSummary): TaskList | undefined {
  if (list === undefined) return undefined
  const items = replaceIn(list.items, task)
  return items === list.items ? list : { ...list, items }
}
