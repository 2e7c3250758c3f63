/**
 * The cancels this page has asked for, by task.
 *
 * A cancel is shown the moment it is clicked, but "cancelled" is only ever said by the server:
 * after the DELETE the stream tells, and without it the task is asked for until it is final.
 */

import { type QueryClient, useQueryClient } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, shallowReactive, toValue } from 'vue'

import { ApiError } from '@/api/errors'
import { cancelTask, getTask } from '@/api/tasks'
import type { TaskRecord, TaskSummary } from '@/api/types'
import { isLive, onTaskNews } from '@/stream/stream'
import { knownTask } from './known'
import { applyTask } from './live'

export interface Cancelling {
  phase: 'waiting' | 'ended' | 'failed'
  /** performance.now() of the click, ms. */
  since: number
  error: ApiError | null
  task: TaskSummary | null
}

const FAST_POLL_MS = 150
const SLOW_POLL_MS = 1_000
const SLOW_AFTER_MS = 5_000

const cancels = shallowReactive(new Map<string, Cancelling>())

export function forgetCancels(): void {
  cancels.clear()
}

export function cancelOf(taskId: string): Cancelling | undefined {
  return cancels.get(taskId)
}

export function useCancel(taskId: MaybeRefOrGetter<string>) {
  const queries = useQueryClient()
  return {
    cancelling: computed(() => cancels.get(toValue(taskId))),
    cancel: () => cancel(queries, toValue(taskId)),
  }
}

export async function cancel(queries: QueryClient, taskId: string): Promise<void> {
  if (cancels.get(taskId)?.phase === 'waiting') return
  const since = performance.now()
  cancels.set(taskId, { phase: 'waiting', since, error: null, task: null })
  try {
    const task = await untilFinal(queries, await cancelTask(taskId), since)
    cancels.set(taskId, { phase: 'ended', since, error: null, task })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    cancels.set(taskId, { phase: 'failed', since, error, task: null })
  }
}

async function untilFinal(queries: QueryClient, answer: TaskRecord, since: number): Promise<TaskSummary> {
  let task = answer
  applyTask(queries, task)
  while (!task.is_final) {
    const isSlow = performance.now() - since > SLOW_AFTER_MS
    const told = await finalNews(task.task_id, isSlow || isLive.value ? SLOW_POLL_MS : FAST_POLL_MS)
    if (told) return told
    const answer = await askAgain(task.task_id)
    if (answer) applyTask(queries, (task = answer))
  }
  return task
}

/** The end of the task as soon as the stream tells of it; undefined when `ms` have passed without. */
function finalNews(taskId: string, ms: number): Promise<TaskSummary | undefined> {
  return new Promise((resolve) => {
    const before = knownTask(taskId)
    if (before?.is_final) return resolve(before)
    const stop = onTaskNews((tasks) => {
      const end = tasks.find((task) => task.task_id === taskId && task.is_final)
      if (end) done(end)
    })
    const timer = setTimeout(() => done(undefined), ms)
    function done(end: TaskSummary | undefined): void {
      stop()
      clearTimeout(timer)
      resolve(end)
    }
  })
}

/** The task as it is now; null when nobody answered, because the cancel itself was accepted and stays so. */
async function askAgain(taskId: string): Promise<TaskRecord | null> {
  try {
    return await getTask(taskId)
  } catch (error) {
    if (error instanceof ApiError && error.isOffline) return null
    throw error
  }
}
