import { body, client, unwrap } from './client'
import type { operations } from './generated'
import type {
  Artifact,
  Challenge,
  Drift,
  Health,
  Item,
  Listing,
  LogLevel,
  LogPage,
  Page,
  Platform,
  Retention,
  TaskCreate,
  TaskList,
  TaskListQuery,
  Batch,
  SetCancelled,
  TaskRecord,
} from './types'

const TASKS = '/api/v1/tasks'

export function listTasks(query: TaskListQuery, signal?: AbortSignal): Promise<TaskList> {
  return unwrap(TASKS, client.GET('/api/v1/tasks', { params: { query }, signal }))
}

export function getTask(taskId: string, signal?: AbortSignal): Promise<TaskRecord> {
  const path = { task_id: taskId }
  return unwrap(`${TASKS}/${taskId}`, client.GET('/api/v1/tasks/{task_id}', { params: { path }, signal }))
}

export function createTask(task: TaskCreate, idempotencyKey: string): Promise<TaskRecord> {
  const header = { 'Idempotency-Key': idempotencyKey }
  return unwrap(TASKS, client.POST('/api/v1/tasks', { params: { header }, body: task }))
}

export async function cancelTask(taskId: string): Promise<TaskRecord> {
  const path = { task_id: taskId }
  const answer = await unwrap(`${TASKS}/${taskId}`, client.DELETE('/api/v1/tasks/{task_id}', { params: { path } }))
  // Only a purge is answered with less than the record.
  return answer as TaskRecord
}

export type CancelQuery = NonNullable<operations['delete_tasks']['parameters']['query']>

/** Cancel all that match; at least one filter. */
export function cancelTasks(query: CancelQuery): Promise<SetCancelled> {
  return unwrap(TASKS, client.DELETE('/api/v1/tasks', { params: { query } }))
}

/** Make a task of each good entry; what is wrong with the others stands in their place. */
export function createTasks(tasks: TaskCreate[], idempotencyKey: string): Promise<Batch> {
  const header = { 'Idempotency-Key': idempotencyKey }
  return unwrap(`${TASKS}/bulk`, client.POST('/api/v1/tasks/bulk', { params: { header }, body: { tasks } }))
}

/** Remove a final task with its results. Raises ApiError 409 when it is not final. */
export async function purgeTask(taskId: string): Promise<void> {
  const params = { path: { task_id: taskId }, query: { purge: true } }
  await unwrap(`${TASKS}/${taskId}`, client.DELETE('/api/v1/tasks/{task_id}', { params }))
}

export type TaskMove = 'start' | 'resume' | 'retry'

/** held to pending, waiting to pending, or a new task made from a final one. */
export function moveTask(taskId: string, move: TaskMove): Promise<TaskRecord> {
  const path = { task_id: taskId }
  return unwrap(`${TASKS}/${taskId}/${move}`, client.POST(`/api/v1/tasks/{task_id}/${move}`, { params: { path } }))
}

export function listItems(taskId: string, cursor?: string, signal?: AbortSignal): Promise<Listing<Item>> {
  const params = { path: { task_id: taskId }, query: { limit: 50, cursor } }
  return unwrap(`${TASKS}/${taskId}/items`, client.GET('/api/v1/tasks/{task_id}/items', { params, signal }))
}

export function listPages(taskId: string, cursor?: string, signal?: AbortSignal): Promise<Listing<Page>> {
  const params = { path: { task_id: taskId }, query: { limit: 50, cursor } }
  return unwrap(`${TASKS}/${taskId}/pages`, client.GET('/api/v1/tasks/{task_id}/pages', { params, signal }))
}

export function listArtifacts(taskId: string, signal?: AbortSignal): Promise<Listing<Artifact>> {
  const params = { path: { task_id: taskId } }
  return unwrap(`${TASKS}/${taskId}/artifacts`, client.GET('/api/v1/tasks/{task_id}/artifacts', { params, signal }))
}

/** What waits for a person. Raises ApiError 404 when nothing does. */
export function getChallenge(taskId: string, signal?: AbortSignal): Promise<Challenge> {
  const params = { path: { task_id: taskId } }
  return unwrap(`${TASKS}/${taskId}/challenge`, client.GET('/api/v1/tasks/{task_id}/challenge', { params, signal }))
}

export interface LogRange {
  after?: number
  before?: number
  limit?: number
  level?: LogLevel
}

export function listLogs(taskId: string, query: LogRange, signal?: AbortSignal): Promise<LogPage> {
  const params = { path: { task_id: taskId }, query }
  return unwrap(`${TASKS}/${taskId}/logs`, client.GET('/api/v1/tasks/{task_id}/logs', { params, signal }))
}

export async function listPlatforms(signal?: AbortSignal): Promise<Platform[]> {
  const path = '/api/v1/platforms'
  return (await unwrap(path, client.GET(path, { signal }))).items
}

/** How often a crawl platform's fields come filled. */
export async function getDrift(platform: string, signal?: AbortSignal): Promise<Drift> {
  const path = '/api/v1/platforms/{platform_id}/drift'
  return unwrap(path, client.GET(path, { params: { path: { platform_id: platform } }, signal }))
}

/** How long ended tasks are kept, and what would go now. */
export async function getRetention(signal?: AbortSignal): Promise<Retention> {
  const path = '/api/v1/system/retention'
  return unwrap(path, client.GET(path, { signal }))
}

/** The health body whatever its state: the server answers 503 with the same shape when it is down. */
export async function getHealth(signal?: AbortSignal): Promise<Health> {
  const call = client.GET('/health', { signal }).then(({ data, error, response }) => {
    const sick = error as unknown as Health | undefined
    return sick?.components ? { data: sick, response: new Response(null, { status: 200 }) } : { data, error, response }
  })
  return body('/health', call)
}
