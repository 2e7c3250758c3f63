import { useQueryClient } from '@tanstack/vue-query'
import { ref, shallowRef } from 'vue'
import { useRouter } from 'vue-router'

import { ApiError } from '@/api/errors'
import { moveTask, purgeTask, type TaskMove } from '@/api/tasks'
import { applyTask, keys } from './live'
import { dropReads } from './news'

/** Start, resume, run again and delete, one at a time, with the last refusal kept for the page to show. */
export function useTaskActions() {
  const queries = useQueryClient()
  const router = useRouter()
  const isActing = ref(false)
  const error = shallowRef<ApiError | null>(null)

  async function act(work: () => Promise<void>): Promise<void> {
    if (isActing.value) return
    isActing.value = true
    error.value = null
    try {
      await work()
      void queries.invalidateQueries({ queryKey: keys.tasks })
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause
      error.value = cause
    } finally {
      isActing.value = false
    }
  }

  const move = (taskId: string, kind: TaskMove) =>
    act(async () => {
      const task = await moveTask(taskId, kind)
      applyTask(queries, task)
      if (task.task_id !== taskId) await router.push({ name: 'task', params: { taskId: task.task_id } })
    })

  const purge = (taskId: string) =>
    act(async () => {
      await dropReads(queries, taskId)
      await purgeTask(taskId)
      await router.push({ name: 'tasks' })
      queries.removeQueries({ queryKey: keys.task(taskId) })
    })

  return { move, purge, error, isActing }
}
