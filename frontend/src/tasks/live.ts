/** Names and paces of what is asked for, and the way an answer to a button reaches what is on the screen. */

import type { QueryClient } from '@tanstack/vue-query'

import type { TaskList, TaskRecord } from '@/api/types'
import { remember } from './known'
import { placed } from './membership'
import { newerRecord } from './merge'

export const POLL_ACTIVE_MS = 2_000
export const POLL_IDLE_MS = 15_000
export const POLL_COUNTS_MS = 5_000

export const keys = {
  tasks: ['tasks'] as const,
  list: (query: unknown) => ['tasks', query] as const,
  task: (taskId: string) => ['task', taskId] as const,
  parts: (taskId: string) => ['task', taskId, 'parts'] as const,
  part: (taskId: string, part: string) => ['task', taskId, 'parts', part] as const,
  counts: ['counts'] as const,
  platforms: ['platforms'] as const,
  drift: (platform: string) => ['drift', platform] as const,
  retention: ['retention'] as const,
  health: ['health'] as const,
}

export function applyTask(queries: QueryClient, task: TaskRecord): void {
  const newest = remember(task)
  queries.setQueryData<TaskRecord>(keys.task(task.task_id), (stored) => newerRecord(stored, task))
  for (const [queryKey, list] of queries.getQueriesData<TaskList>({ queryKey: keys.tasks })) {
    if (list !== undefined) queries.setQueryData(queryKey, placed(list, queryKey[1] ?? {}, newest))
  }
}
