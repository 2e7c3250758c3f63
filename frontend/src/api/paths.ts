/** The calls this page makes, in the form openapi-typescript gives them, so that the generated file can take over. */

import type {
  Artifact,
  Envelope,
  ErrorBody,
  Health,
  Item,
  Listing,
  LogPage,
  Page,
  Platform,
  TaskCreate,
  TaskList,
  TaskListQuery,
  TaskRecord,
  Upload,
} from './types'

interface Answered<Data, Parameters> {
  parameters: Parameters
  responses: {
    200: { headers: Record<string, unknown>; content: { 'application/json': Data } }
    default: { headers: Record<string, unknown>; content: { 'application/json': ErrorBody } }
  }
}

interface Call<Data, Parameters> extends Answered<Data, Parameters> {
  requestBody?: never
}

interface Write<Data, Parameters, Body> extends Answered<Data, Parameters> {
  requestBody: { content: { 'application/json': Body } }
}

type Get<Data, Query = undefined, Path = undefined> = Call<
  Envelope<Data>,
  { query?: Query extends undefined ? never : Query; path: Path extends undefined ? never : Path }
>
type OfTask = { task_id: string }
type Paging = { cursor?: string; limit?: number }

interface NoPath<Query> {
  query?: Query
}

export interface paths {
  '/api/v1/tasks': {
    get: Call<Envelope<TaskList>, NoPath<TaskListQuery>>
    post: Write<Envelope<TaskRecord>, { header?: { 'Idempotency-Key'?: string } }, TaskCreate>
  }
  '/api/v1/tasks/{task_id}': {
    get: Get<TaskRecord, { wait?: number; until?: 'final' | 'changed' }, OfTask>
    delete: Get<TaskRecord & { purged?: boolean }, { wait?: number; purge?: 1 }, OfTask>
  }
  '/api/v1/tasks/{task_id}/start': { post: Get<TaskRecord, Record<string, never>, OfTask> }
  '/api/v1/tasks/{task_id}/resume': { post: Get<TaskRecord, Record<string, never>, OfTask> }
  '/api/v1/tasks/{task_id}/retry': { post: Get<TaskRecord, Record<string, never>, OfTask> }
  '/api/v1/tasks/{task_id}/items': { get: Get<Listing<Item>, Paging, OfTask> }
  '/api/v1/tasks/{task_id}/pages': { get: Get<Listing<Page>, Paging & { outcome?: string; state?: string }, OfTask> }
  '/api/v1/tasks/{task_id}/artifacts': { get: Get<Listing<Artifact>, Paging, OfTask> }
  '/api/v1/tasks/{task_id}/logs': {
    get: Get<LogPage, { after?: number; before?: number; limit?: number; level?: string }, OfTask>
  }
  '/api/v1/uploads': { post: Write<Envelope<Upload>, NoPath<Record<string, never>>, { file: Blob }> }
  '/api/v1/platforms': { get: Call<Envelope<Listing<Platform>>, NoPath<Record<string, never>>> }
  '/health': { get: Call<Health, NoPath<Record<string, never>>> }
}
