/**
 * The cancels this page has asked for, by task.
 *
 * A cancel is shown the moment it is clicked, but "cancelled" is only ever said by the server:
 * after the DELETE the task is asked for until it is final.
 */

import { type QueryClient, useQueryClient } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, shallowReactive, toValue } from 'vue'

import { ApiError } from '@/api/errors'
import { cancelTask, getTask } from '@/api/tasks'
import type { TaskRecord } from '@/api/types'
import { applyTask } from './live'

export interface Cancelling {
  phase: 'waiting' | 'ended' | 'failed'
  /** performance.now() of the click, ms. */
  since: number
  error: ApiError | null
  task: TaskRecord | null
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

async function untilFinal(queries: QueryClient, answer: TaskRecord, since: number): Promise<TaskRecord> {
  let task = answer
  applyTask(queries, task)
  while (!task.is_final) {
    const isSlow = performance.now() - since > SLOW_AFTER_MS
    await new Promise((resolve) => setTimeout(resolve, isSlow ? SLOW_POLL_MS : FAST_POLL_MS))
    task = (await askAgain(task.task_id)) ?? task
    applyTask(queries, task)
  }
  return task
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
