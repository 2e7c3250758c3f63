/** Many tasks at once: cancel those that match, make a task of each entry. */

import { useQueryClient } from '@tanstack/vue-query'
import { ref, shallowRef } from 'vue'

import { ApiError } from '@/api/errors'
import { cancelTasks, type CancelQuery } from '@/api/tasks'
import type { SetCancelled } from '@/api/types'
import { isLive } from '@/stream/stream'
import { keys } from './live'

/** As many ids as the server takes in one call. */
export const MOST_IDS = 200

export function useSetCancel() {
  const queries = useQueryClient()
  const isCancelling = ref(false)
  const error = shallowRef<ApiError | null>(null)

  /** Cancel all that match; null when it was refused. Ids are sent in calls of `MOST_IDS`. */
  async function cancelSet(query: CancelQuery): Promise<SetCancelled | null> {
    if (isCancelling.value) return null
    isCancelling.value = true
    error.value = null
    const sum: SetCancelled = { matched: 0, cancelled: 0, cancelling: 0 }
    try {
      for (const part of partsOf(query)) {
        const done = await cancelTasks(part)
        sum.matched += done.matched
        sum.cancelled += done.cancelled
        sum.cancelling += done.cancelling
      }
      return sum
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause
      error.value = cause
      return null
    } finally {
      isCancelling.value = false
      if (!isLive.value) void queries.invalidateQueries({ queryKey: keys.tasks })
      void queries.invalidateQueries({ queryKey: keys.counts })
    }
  }

  return { cancelSet, isCancelling, error }
}

function partsOf(query: CancelQuery): CancelQuery[] {
  const { ids } = query
  if (ids === undefined) return [query]
  const starts = Array.from({ length: Math.ceil(ids.length / MOST_IDS) }, (_, part) => part * MOST_IDS)
  return starts.map((start) => ({ ...query, ids: ids.slice(start, start + MOST_IDS) }))
}
