import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'

import { getChallenge, getDrift, getHealth, getRetention, getTask, listPlatforms, listTasks } from '@/api/tasks'
import type { Challenge, TaskList, TaskListQuery, TaskRecord, TaskStatus } from '@/api/types'
import { ApiError } from '@/api/errors'
import { isLive } from '@/stream/stream'
import { remember } from './known'
import { keys, POLL_ACTIVE_MS, POLL_COUNTS_MS, POLL_IDLE_MS } from './live'
import { fits } from './membership'
import { mergeItems, newerRecord } from './merge'
import { isChallenged, isMoving } from './status'

/** ms until the next question: soon while something moves or nobody answers, never after what is gone. */
function pause(error: Error | null, isActive: boolean): number | false {
  if (error instanceof ApiError && error.status === 404) return false
  const isAway = error instanceof ApiError && error.isOffline
  return isActive || isAway ? POLL_ACTIVE_MS : POLL_IDLE_MS
}

interface Asked<Data> {
  state: { data: Data | undefined; error: Error | null }
}

/** Nothing is asked again while the stream tells of every change. */
function whenNotLive<Data>(interval: (query: Asked<Data>) => number | false) {
  return computed(() => {
    const isTold = isLive.value
    return (query: Asked<Data>) => (isTold ? false : interval(query))
  })
}

/** A task list that keeps itself fresh: by the stream; without it every 2 s while something moves, every 15 s otherwise. */
export function useTaskList(query: MaybeRefOrGetter<TaskListQuery>, enabled: MaybeRefOrGetter<boolean> = true) {
  return useQuery<TaskList>({
    enabled: () => toValue(enabled),
    queryKey: computed(() => keys.list(toValue(query))),
    queryFn: ({ signal }) => {
      const asked = toValue(query)
      return listTasks(asked, signal).then((list) => withKnown(asked, list))
    },
    placeholderData: keepPreviousData as never,
    structuralSharing: (stored, incoming) => mergeList(stored as TaskList | undefined, incoming as TaskList),
    refetchInterval: whenNotLive<TaskList>(({ state }) =>
      pause(state.error, state.data?.items.some(isMoving) ?? false),
    ) as never,
  })
}

/** The answer without what it says too late: the stream may have told of a task's end while it was on its way. */
function withKnown(query: TaskListQuery, list: TaskList): TaskList {
  const items = list.items.map(remember).filter((task) => fits(query, task) !== false)
  return { ...list, items }
}

function mergeList(stored: TaskList | undefined, incoming: TaskList): TaskList {
  return { ...incoming, items: mergeItems(stored?.items, incoming.items) }
}

export interface Counts {
  status: Partial<Record<TaskStatus, number>>
  stream_cursor: string | null
}

/** How many tasks match, by status. */
export function useCounts(query: MaybeRefOrGetter<TaskListQuery>) {
  return useQuery<Counts>({
    queryKey: computed(() => [...keys.counts, toValue(query)]),
    queryFn: async ({ signal }) => {
      const { facets, stream_cursor } = await listTasks({ ...toValue(query), limit: 1, facets: true }, signal)
      return { status: facets?.status ?? {}, stream_cursor }
    },
    placeholderData: keepPreviousData as never,
    refetchInterval: whenNotLive<Counts>(() => POLL_COUNTS_MS) as never,
  })
}

export function useTask(taskId: MaybeRefOrGetter<string>) {
  return useQuery<TaskRecord>({
    queryKey: computed(() => keys.task(toValue(taskId))),
    queryFn: async ({ signal }) => {
      const task = await getTask(toValue(taskId), signal)
      return { ...task, ...remember(task) }
    },
    structuralSharing: (stored, incoming) => newerRecord(stored as TaskRecord | undefined, incoming as TaskRecord),
    refetchInterval: whenNotLive<TaskRecord>(({ state }) =>
      pause(state.error, state.data !== undefined && isMoving(state.data)),
    ) as never,
    retry: (failures, error) => failures < 2 && error instanceof ApiError && error.isOffline,
  })
}

/** What waits for a person, asked for only where something may; null when nothing does after all. */
export function useChallenge(task: MaybeRefOrGetter<TaskRecord>) {
  return useQuery<Challenge | null>({
    enabled: () => isChallenged(toValue(task)),
    // Another code is another version of the task, and closes the page of the one before.
    queryKey: computed(() => [...keys.part(toValue(task).task_id, 'challenge'), toValue(task).status]),
    queryFn: ({ signal }) =>
      getChallenge(toValue(task).task_id, signal).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return null
        throw error
      }),
    refetchInterval: whenNotLive<Challenge | null>(() => POLL_ACTIVE_MS) as never,
  })
}

export function usePlatforms() {
  return useQuery({ queryKey: keys.platforms, queryFn: ({ signal }) => listPlatforms(signal), staleTime: 60_000 })
}

/** Counted once a minute on the server, and nobody waits for it. */
export function useDrift(platform: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => keys.drift(toValue(platform))),
    queryFn: ({ signal }) => getDrift(toValue(platform), signal),
    staleTime: 60_000,
  })
}

export function useRetention() {
  return useQuery({
    queryKey: keys.retention,
    queryFn: ({ signal }) => getRetention(signal),
    staleTime: 60_000,
  })
}

export function useHealth() {
  return useQuery({
    queryKey: keys.health,
    queryFn: ({ signal }) => getHealth(signal),
    refetchInterval: ({ state }) => (isLive.value ? 2 * POLL_IDLE_MS : pause(state.error, false)),
  })
}
