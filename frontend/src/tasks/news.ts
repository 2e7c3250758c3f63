/** What the stream tells, put into what is on the screen. */

import type { QueryClient, QueryKey } from '@tanstack/vue-query'

import type { Health, TaskList, TaskListQuery, TaskRecord, TaskSummary } from '@/api/types'
import type { StreamEvent } from '@/stream/source'
import { knownTask, remember } from './known'
import { keys } from './live'
import { fits, MOST_ROWS, placed } from './membership'
import { withSummary } from './merge'

const SOON_MS = 250
const AT_MOST_EVERY_MS = 2_000

/** Show the events of one moment; return the tasks they told of, each once, as they are now. */
export function applyNews(queries: QueryClient, events: readonly StreamEvent[]): readonly TaskSummary[] {
  const tasks = new Map<string, TaskSummary>()
  for (const { name, data } of events) {
    if (name === 'task.created' || name === 'task.updated') {
      const { task } = data as { task: TaskSummary }
      const before = knownTask(task.task_id)
      const now = remember(task)
      if (now === before) continue
      tasks.set(task.task_id, now)
      if (before?.status !== now.status) statusChanged(queries, task.task_id)
      else partsGrew(queries, task.task_id)
    }
    if (name === 'task.items') partsGrew(queries, (data as { task_id: string }).task_id)
    if (name === 'system') applySystem(queries, data as { status: Health['status']; running: number; pending: number })
  }
  if (tasks.size > 0) applyAll(queries, [...tasks.values()])
  if (events.some(({ name }) => name === 'resync')) refetchTasks(queries)
  return [...tasks.values()]
}

const ROOTS: readonly unknown[] = [keys.tasks[0], keys.counts[0], keys.task('')[0]]

/** Whether a query is about tasks, whose changes the stream tells. */
export function isOfTasks(queryKey: QueryKey): boolean {
  return ROOTS.includes(queryKey[0])
}

/** Read all that is shown of tasks anew, but for lists that were read at `cursor` or later. */
export function refetchTasks(queries: QueryClient, cursor?: string): void {
  void queries.invalidateQueries({
    predicate: ({ queryKey, state }) =>
      isOfTasks(queryKey) &&
      (cursor === undefined || (state.data as Partial<TaskList> | undefined)?.stream_cursor !== cursor),
  })
}

/** Put tasks into every list and page. */
export function applyAll(queries: QueryClient, tasks: readonly TaskSummary[]): void {
  for (const task of tasks) {
    queries.setQueryData<TaskRecord>(keys.task(task.task_id), (record) => withSummary(record, task))
  }
  for (const [queryKey, list] of queries.getQueriesData<TaskList>({ queryKey: keys.tasks })) {
    if (list === undefined) continue
    const query = (queryKey[1] ?? {}) as TaskListQuery
    const changed = tasks.reduce((now, task) => placed(now, query, task), list)
    if (changed !== list) queries.setQueryData(queryKey, changed)
    if (changed.items.length > MOST_ROWS || tasks.some((task) => fits(query, task) === null)) readSoon(queries, queryKey)
  }
}

/** The rest of the record, which the stream does not carry, and the counts have changed too. */
function statusChanged(queries: QueryClient, taskId: string): void {
  readSoon(queries, keys.task(taskId))
  readSoon(queries, keys.counts)
}

/** What a task found and did is asked for only where it is on the screen. */
function partsGrew(queries: QueryClient, taskId: string): void {
  if (queries.getQueryState(keys.task(taskId)) !== undefined) readSoon(queries, keys.parts(taskId))
}

function applySystem(queries: QueryClient, system: { status: Health['status']; running: number; pending: number }): void {
  const before = queries.getQueryData<Health>(keys.health)
  if (before !== undefined && before.status !== system.status) void queries.invalidateQueries({ queryKey: keys.health })
  queries.setQueryData<Health>(keys.health, (health) => {
    const runner = health?.components['runner']
    if (health === undefined || runner === undefined) return health
    const { running, pending } = system
    return { ...health, components: { ...health.components, runner: { ...runner, running, pending } } }
  })
}

const waiting = new Map<string, QueryKey>()
let timer: ReturnType<typeof setTimeout> | undefined
let readAt = 0

/** What is asked, or about to be asked, of a task that goes away is not wanted any more. */
export async function dropReads(queries: QueryClient, taskId: string): Promise<void> {
  for (const [name, queryKey] of waiting) if (queryKey[0] === 'task' && queryKey[1] === taskId) waiting.delete(name)
  await queries.cancelQueries({ queryKey: keys.task(taskId) })
}

/** Read what begins with `queryKey` anew in a moment; however often it is asked for, once in two seconds. */
export function readSoon(queries: QueryClient, queryKey: QueryKey): void {
  waiting.set(JSON.stringify(queryKey), queryKey)
  if (timer !== undefined) return
  const wait = Math.max(SOON_MS, readAt + AT_MOST_EVERY_MS - Date.now())
  timer = setTimeout(() => {
    timer = undefined
    readAt = Date.now()
    const wanted = [...waiting.values()]
    waiting.clear()
    for (const one of wanted) void queries.invalidateQueries({ queryKey: one })
  }, wait)
}
