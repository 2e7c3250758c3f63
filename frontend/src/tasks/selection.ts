/** Which rows of a list are chosen, by id, so that a choice survives rows coming and going around it. */

import { computed, shallowRef } from 'vue'

import type { TaskSummary } from '@/api/types'
import { isCancellable } from './status'

/** `mayStop`: whether the reader may cancel a task at all. */
export function useSelection(rows: () => readonly TaskSummary[], mayStop: (task: TaskSummary) => boolean = () => true) {
  const chosen = shallowRef<ReadonlySet<string>>(new Set())
  let anchor: string | null = null

  const choosable = computed(() => rows().filter((task) => isCancellable(task.status) && mayStop(task)))
  /** Only what is on the screen and can still be cancelled counts. */
  const selected = computed(() => choosable.value.filter((task) => chosen.value.has(task.task_id)))
  const isAll = computed(() => choosable.value.length > 0 && selected.value.length === choosable.value.length)

  /** Choose a row or leave it; with `isRange` all rows from the last one clicked become as this one. */
  function toggle(taskId: string, isRange = false): void {
    const next = new Set(chosen.value)
    const isChosen = !next.has(taskId)
    for (const id of isRange ? between(anchor, taskId) : [taskId]) {
      if (isChosen) next.add(id)
      else next.delete(id)
    }
    chosen.value = next
    anchor = taskId
  }

  function between(from: string | null, to: string): string[] {
    const ids = choosable.value.map((task) => task.task_id)
    const ends = [from === null ? -1 : ids.indexOf(from), ids.indexOf(to)].sort((a, b) => a - b)
    return ends[0]! < 0 ? [to] : ids.slice(ends[0], ends[1]! + 1)
  }

  function toggleAll(): void {
    chosen.value = isAll.value ? new Set() : new Set(choosable.value.map((task) => task.task_id))
    anchor = null
  }

  function clear(): void {
    chosen.value = new Set()
    anchor = null
  }

  return { chosen, selected, isAll, toggle, toggleAll, clear }
}
