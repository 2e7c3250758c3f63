/**
 * Which of two records of one task is shown.
 *
 * Answers overtake each other on the way: a list asked for before a cancel may arrive after it. A lower
 * version is ignored; at the same version only progress and books move; a final task never goes back.
 */

import type { TaskRecord, TaskSummary } from '@/api/types'

export function newer<T extends TaskSummary>(stored: T | undefined, incoming: T): T {
  if (stored === undefined) return incoming
  if (incoming.version < stored.version) return stored
  if (stored.is_final && !incoming.is_final) return stored
  if (incoming.version > stored.version) return incoming
  if (stored.is_final) return stored
  return { ...stored, progress: incoming.progress, books: incoming.books }
}

/** `newer` for the whole record: what a summary has not is taken from every answer that is no older. */
export function newerRecord(stored: TaskRecord | undefined, incoming: TaskRecord): TaskRecord {
  const merged = newer(stored, incoming)
  if (stored === undefined || incoming.version !== stored.version) return merged
  const { params, ignored, history, checkpoint, artifacts } = incoming
  return { ...merged, params, ignored, history, checkpoint, artifacts }
}

/** The record with the news of a summary in it; the same record when they are none. */
export function withSummary(stored: TaskRecord | undefined, news: TaskSummary): TaskRecord | undefined {
  if (stored === undefined) return undefined
  const merged = newer<TaskSummary>(stored, news)
  return merged === stored ? stored : { ...stored, ...merged }
}

/** The fields of `incoming` that a list row has, over the row that is shown. */
export function mergeItems(stored: readonly TaskSummary[] | undefined, incoming: readonly TaskSummary[]): TaskSummary[] {
  const known = new Map(stored?.map((task) => [task.task_id, task]))
  return incoming.map((task) => newer(known.get(task.task_id), task))
}

/** The list with `task` in the place of its older self; the same list when it is not in it or not newer. */
export function replaceIn<T extends readonly TaskSummary[]>(items: T, task: TaskSummary): T {
  const index = items.findIndex((item) => item.task_id === task.task_id)
  const stored = items[index]
  if (stored === undefined) return items
  const merged = newer(stored, task)
  if (merged === stored) return items
  const copy = [...items]
  copy[index] = merged
  return copy as unknown as T
}
