/** The newest that is known of each task, over all lists and pages: what left a list has not been forgotten. */

import type { TaskSummary } from '@/api/types'
import { newer } from './merge'

const MOST = 5_000
const known = new Map<string, TaskSummary>()

/** The newer of `task` and what is known, which is then known. */
export function remember(task: TaskSummary): TaskSummary {
  const newest = newer(known.get(task.task_id), task)
  known.delete(task.task_id)
  known.set(task.task_id, newest)
  if (known.size > MOST) known.delete(known.keys().next().value!)
  return newest
}

export function knownTask(taskId: string): TaskSummary | undefined {
  return known.get(taskId)
}

export function forgetTasks(): void {
  known.clear()
}
