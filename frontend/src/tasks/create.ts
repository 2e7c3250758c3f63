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

  /** What `make` makes of this body under its key; null when it was refused, or another is on its way. */
  async function send<Made>(what: unknown, make: (key: string) => Promise<Made>): Promise<Made | null> {
    if (isCreating.value) return null
    const body = JSON.stringify(what)
    if (sent.body !== body) sent = { body, key: newKey() }
    isCreating.value = true
    error.value = null
    try {
      return await make(sent.key)
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause
      error.value = cause
      return null
    } finally {
      isCreating.value = false
    }
  }

  const forget = () => void (sent = { body: '', key: '' })

  const create = (task: TaskCreate): Promise<TaskRecord | null> =>
    send(task, async (key) => {
      const created = await createTask(task, key)
      forget()
      applyTask(queries, created)
      void queries.invalidateQueries({ queryKey: keys.tasks })
      await router.push({ name: 'task', params: { taskId: created.task_id } })
      return created
    })

  /** Make a task of each body; null when the whole call was refused, else what became of each. */
  const createMany = (tasks: TaskCreate[]): Promise<Batch | null> =>
    send(tasks, async (key) => {
      const batch = await createTasks(tasks, key)
      forget()
      if (!isLive.value) void queries.invalidateQueries({ queryKey: keys.tasks })
      return batch
    })

  return { create, createMany, error, isCreating }
}
