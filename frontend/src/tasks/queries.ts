import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'

import { getHealth, getTask, listPlatforms, listTasks } from '@/api/tasks'
import type { TaskList, TaskListQuery, TaskRecord, TaskStatus } from '@/api/types'
import { ApiError } from '@/api/errors'
import { keys, POLL_ACTIVE_MS, POLL_IDLE_MS, POLL_TOTALS_MS } from './live'
import { mergeItems, newer } from './merge'
import { isMoving } from './status'

/** ms until the next question: soon while something moves or nobody answers, never after what is gone. */
function pause(error: Error | null, isActive: boolean): number | false {
  if (error instanceof ApiError && error.status === 404) return false
  const isAway = error instanceof ApiError && error.isOffline
  return isActive || isAway ? POLL_ACTIVE_MS : POLL_IDLE_MS
}

/** A task list that keeps itself fresh: every 2 s while something moves, every 15 s otherwise. */
export function useTaskList(query: MaybeRefOrGetter<TaskListQuery>, enabled: MaybeRefOrGetter<boolean> = true) {
  return useQuery({
    enabled: () => toValue(enabled),
    queryKey: computed(() => keys.list(toValue(query))),
    queryFn: ({ signal }) => listTasks(toValue(query), signal),
    placeholderData: keepPreviousData,
    structuralSharing: (stored, incoming) => mergeList(stored as TaskList | undefined, incoming as TaskList),
    refetchInterval: ({ state }) => pause(state.error, state.data?.items.some(isMoving) ?? false),
  })
}

export interface Total {
  status: TaskStatus
  total: number
  isCapped: boolean
}

/** How many tasks there are of each status. One small list each, until the server answers with facets. */
export function useTotals(statuses: readonly TaskStatus[]) {
  return useQuery({
    queryKey: keys.totals(statuses),
    queryFn: ({ signal }) => Promise.all(statuses.map((status) => totalOf(status, signal))),
    refetchInterval: POLL_TOTALS_MS,
  })
}

async function totalOf(status: TaskStatus, signal: AbortSignal): Promise<Total> {
  const { total, total_is_capped: isCapped } = await listTasks({ status: [status], limit: 1 }, signal)
  return { status, total, isCapped }
}

function mergeList(stored: TaskList | undefined, incoming: TaskList): TaskList {
  return { ...incoming, items: mergeItems(stored?.items, incoming.items) }
}

export function useTask(taskId: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => keys.task(toValue(taskId))),
    queryFn: ({ signal }) => getTask(toValue(taskId), signal),
    structuralSharing: (stored, incoming) => newer(stored as TaskRecord | undefined, incoming as TaskRecord),
    refetchInterval: ({ state }) => pause(state.error, state.data !== undefined && isMoving(state.data)),
    retry: (failures, error) => failures < 2 && error instanceof ApiError && error.isOffline,
  })
}

export function usePlatforms() {
  return useQuery({ queryKey: keys.platforms, queryFn: ({ signal }) => listPlatforms(signal), staleTime: 60_000 })
}

export function useHealth() {
  return useQuery({
    queryKey: keys.health,
    queryFn: ({ signal }) => getHealth(signal),
    refetchInterval: ({ state }) => pause(state.error, false),
  })
}
