import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { computed, type Ref, ref, shallowRef } from 'vue'

import type { Listing, TaskRecord } from '@/api/types'
import { isLive } from '@/stream/stream'
import { keys, POLL_ACTIVE_MS } from './live'
import { isMoving } from './status'

/** A list as it is read, page by page. */
export interface Paged<T> {
  rows: Readonly<Ref<readonly T[]>>
  hasMore: Readonly<Ref<boolean>>
  more: () => Promise<void>
  isReading: Readonly<Ref<boolean>>
  error: Readonly<Ref<Error | null>>
  isPending: Readonly<Ref<boolean>>
  refetch: () => unknown
}

/** A part of a task, page by page: the first page keeps itself fresh while the task moves, the others are read once. */
export function usePaged<T>(
  task: () => TaskRecord,
  part: string,
  read: (taskId: string, cursor?: string, signal?: AbortSignal) => Promise<Listing<T>>,
  idOf: (row: T) => string,
): Paged<T> {
  const first = useQuery<Listing<T>>({
    // The end of the task is part of the key, so that one last read follows it.
    queryKey: computed(() => [...keys.part(task().task_id, part), task().is_final]),
    queryFn: ({ signal }) => read(task().task_id, undefined, signal),
    placeholderData: keepPreviousData as never,
    refetchInterval: computed(() => {
      const isTold = isLive.value
      return () => (!isTold && isMoving(task()) ? POLL_ACTIVE_MS : false)
    }),
  })
  const rest = shallowRef<T[]>([])
  const restCursor = ref<string | null | undefined>(undefined)
  const isReading = ref(false)

  const rows = computed(() => {
    const head = first.data.value?.items ?? []
    const seen = new Set(head.map(idOf))
    return [...head, ...rest.value.filter((row) => !seen.has(idOf(row)))]
  })
  const cursor = computed(() => (restCursor.value === undefined ? first.data.value?.next_cursor : restCursor.value))

  async function more(): Promise<void> {
    if (!cursor.value || isReading.value) return
    isReading.value = true
    try {
      const page = await read(task().task_id, cursor.value)
      rest.value = [...rest.value, ...page.items]
      restCursor.value = page.next_cursor
    } finally {
      isReading.value = false
    }
  }

  return { rows, hasMore: computed(() => Boolean(cursor.value)), more, isReading, error: first.error, isPending: first.isPending, refetch: first.refetch }
}
