/** The one stream of this tab, and who is told what comes on it. */

import type { QueryClient } from '@tanstack/vue-query'
import { computed, onScopeDispose, type Ref, shallowRef, watch } from 'vue'

import { listTasks } from '@/api/tasks'
import type { LogLine, TaskList, TaskSummary } from '@/api/types'
import { reached } from '@/app/connection'
import { applyNews, isOfTasks, refetchTasks } from '@/tasks/news'
import { Follower, type Mode } from './follower'
import { openSource, type StreamEvent } from './source'

export interface LogNews {
  task_id: string
  lines: LogLine[]
}

const follower = shallowRef<Follower>()

/** How the page learns of changes; 'polling' as well while there is no stream at all. */
export const streamMode = computed<Mode>(() => follower.value?.mode.value ?? 'polling')
export const isLive = computed(() => streamMode.value === 'live')

const lineReaders = new Set<(news: LogNews) => void>()
const openReaders = new Set<() => void>()
const taskReaders = new Set<(tasks: readonly TaskSummary[]) => void>()

function useReader<Reader>(readers: Set<Reader>, reader: Reader): void {
  readers.add(reader)
  onScopeDispose(() => readers.delete(reader))
}

/** Call `onLines` with every piece of log, and `onOpen` when some may have been missed. */
export function useLogNews(onLines: (news: LogNews) => void, onOpen: () => void): void {
  useReader(lineReaders, onLines)
  useReader(openReaders, onOpen)
}

/** Call `onTasks` with tasks that changed, as they are now, until the function that is returned is called. */
export function onTaskNews(onTasks: (tasks: readonly TaskSummary[]) => void): () => void {
  taskReaders.add(onTasks)
  return () => void taskReaders.delete(onTasks)
}

/** Follow the topics of one task as long as its page is open. */
export function useTaskTopics(taskId: Ref<string> | (() => string)): void {
  watch(
    taskId,
    (id, _before, onCleanup) => {
      const stop = follower.value?.follow([`task:${id}`, `logs:${id}`])
      if (stop) onCleanup(stop)
    },
    { immediate: true },
  )
}

/** Start the stream: with the first list's cursor, or by asking where there is no list. */
export function startStream(queries: QueryClient): void {
  const inbox = new Inbox(queries)
  const cache = queries.getQueryCache()
  const early = new Set<string>()
  let startCursor = ''
  const made = new Follower({
    open: openSource,
    ask: async () => (await listTasks({ limit: 1 })).stream_cursor,
    onEvent: (event) => inbox.add(event),
    onOpen: () => {
      reached()
      openReaders.forEach((tell) => tell())
    },
    onColdStart: (cursor) => {
      startCursor = cursor
      for (const { queryKey, queryHash, state } of cache.getAll()) {
        if (isOfTasks(queryKey) && state.fetchStatus === 'fetching') early.add(queryHash)
      }
      refetchTasks(queries, cursor)
    },
  })
  follower.value = made
  cache.subscribe((event) => {
    if (event.type !== 'updated' || event.action.type !== 'success' || event.action.manual) return
    const { queryKey, queryHash, state } = event.query
    const cursor = (state.data as Partial<TaskList> | undefined)?.stream_cursor
    if (cursor !== undefined) made.heard(cursor)
    // Asked before the stream began, answered after: it may have missed what was in between.
    if (early.delete(queryHash) && cursor !== startCursor) void queries.invalidateQueries({ queryKey, exact: true })
  })
  document.addEventListener('visibilitychange', () => (document.hidden ? made.hidden() : made.visible()))
  globalThis.addEventListener('pagehide', () => made.suspend())
  globalThis.addEventListener('pageshow', () => made.visible())
  globalThis.addEventListener('offline', () => made.offline())
  globalThis.addEventListener('online', () => made.online())
  setTimeout(() => made.begin(), WAIT_FOR_LIST_MS)
}

/** A page that has a list asks for it at once; one that has none is not kept waiting long. */
const WAIT_FOR_LIST_MS = 150

/** What has come since the last frame was painted: however much it is, it is shown in one go. */
class Inbox {
  private events: StreamEvent[] = []

  constructor(private readonly queries: QueryClient) {}

  add(event: StreamEvent): void {
    this.events.push(event)
    if (this.events.length > 1) return
    // A hidden page paints nothing, and goes on.
    if (document.hidden) setTimeout(() => this.take(), 100)
    else requestAnimationFrame(() => this.take())
  }

  private take(): void {
    const events = this.events
    this.events = []
    const tasks = applyNews(this.queries, events)
    if (tasks.length > 0) taskReaders.forEach((tell) => tell(tasks))
    for (const { name, data } of events) if (name === 'task.log') lineReaders.forEach((tell) => tell(data as LogNews))
    if (events.some(({ name }) => name === 'resync')) openReaders.forEach((tell) => tell())
  }
}
