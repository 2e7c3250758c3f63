import { useQueryClient } from '@tanstack/vue-query'
import { ref, shallowRef } from 'vue'
import { useRouter } from 'vue-router'

import { ApiError } from '@/api/errors'
import { createTask, createTasks } from '@/api/tasks'
import type { Batch, TaskCreate, TaskRecord } from '@/api/types'
import { isLive } from '@/stream/stream'
import { applyTask, keys } from './live'

/** 128 random bits; crypto.randomUUID is missing where the page is served over plain HTTP from another machine. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * Create a task and open it.
 *
 * One key for one body: sending the same form twice gives the same task, an edited form is a new one.
 */
export function useCreate() {
  const queries = useQueryClient()
  const router = useRouter()
  const isCreating = ref(false)
  const error = shallowRef<ApiError | null>(null)
  let sent = { body: '', key: '' }

  async function create(task: TaskCreate): Promise<TaskRecord | null> {
    if (isCreating.value) return null
    const body = JSON.stringify(task)
    if (sent.body !== body) sent = { body, key: newKey() }
    isCreating.value = true
    error.value = null
    try {
      const created = await createTask(task, sent.key)
      sent = { body: '', key: '' }
      applyTask(queries, created)
      void queries.invalidateQueries({ queryKey: keys.tasks })
      await router.push({ name: 'task', params: { taskId: created.task_id } })
      return created
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause
      error.value = cause
      return null
    } finally {
      isCreating.value = false
    }
  }

  /** Make a task of each body; null when the whole call was refused, else what became of each. */
  async function createMany(tasks: TaskCreate[]): Promise<Batch | null> {
    if (isCreating.value) return null
    const body = JSON.stringify(tasks)
    if (sent.body !== body) sent = { body, key: newKey() }
    isCreating.value = true
    error.value = null
    try {
      const batch = await createTasks(tasks, sent.key)
      sent = { body: '', key: '' }
      if (!isLive.value) void queries.invalidateQueries({ queryKey: keys.tasks })
      return batch
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause
      error.value = cause
      return null
    } finally {
      isCreating.value = false
    }
  }

  return { create, createMany, error, isCreating }
}
