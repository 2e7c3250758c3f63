/**
 * The shapes of the HTTP API, version 1, as design and server name them.
 *
 * Written by hand until `npm run api` can read the server's own /openapi.json; only
 * `paths.ts` and this file change on that day.
 */

export const STATUSES = [
  'held',
  'pending',
  'running',
  'waiting',
  'cancelling',
  'cancelled',
  'succeeded',
  'partial',
  'failed',
  'timed_out',
] as const
export type TaskStatus = (typeof STATUSES)[number]

export type TaskKind = 'crawl' | 'generate'

export interface Envelope<T> {
  code: number
  message: string
  data: T
}

export interface Notice {
  code: string
  message: string
  action: string | null
}

export interface Progress {
  done: number
  total: number | null
  unit: string
  rate: number | null
  eta_s: number | null
  stage: string
}

export interface Books {
  requested: number
  ok: number
  empty: number
  blocked: number
  failed: number
  skipped: number
  aborted: number
  stored: number
  queued_left: number
  skipped_by: Record<string, number>
  reported_total: number | null
  fetched_unique: number | null
  balanced: boolean | null
}

export interface CancelRecord {
  requested_at: string
  requested_by: string | null
  ended_at: string | null
  released: { tasks: number; connections: number; children: number; files: number } | null
  saved: number | null
}

export interface Upstream {
  job_id: string | null
  status: string | null
  submits: number
  cancel: 'confirmed' | 'refused' | 'unsupported' | 'unknown' | null
  may_bill: boolean
}

export interface Cost {
  currency: string
  estimated: string | null
  reserved: string | null
  spent: string | null
}

export interface TaskError {
  name: string
  message: string
  advice: string | null
  retryable: boolean
  at: string
  where: string | null
  url: string | null
}

export interface Artifact {
  artifact_id: string
  task_id: string
  name: string
  role: 'output' | 'poster' | 'media' | 'screenshot'
  media_type: string
  size_bytes: number
  sha256: string
  width: number | null
  height: number | null
  duration_s: number | null
  fps: number | null
  url: string
  poster_url: string | null
}

export interface HistoryEntry {
  at: string
  from: TaskStatus | null
  to: TaskStatus
  reason: string
  attempt: number | null
  worker_id: string | null
  by: string | null
}

/** One item of the task list. */
export interface TaskSummary {
  task_id: string
  version: number
  kind: TaskKind
  platform: string
  type: string
  title: string
  labels: string[]
  batch_id: string | null
  schedule_id: string | null
  retry_of: string | null
  created_by: string | null
  status: TaskStatus
  is_final: boolean
  message: string | null
  notice: Notice | null
  priority: number
  attempt: number
  max_attempts: number
  dead: boolean
  deadline_s: number | null
  worker_id: string | null
  created_at: string
  updated_at: string
  run_at: string | null
  started_at: string | null
  ended_at: string | null
  progress: Progress | null
  books: Books | null
  cancel: CancelRecord | null
  cancel_latency_ms: number | null
  upstream: Upstream | null
  cost: Cost | null
  error: TaskError | null
}

export interface TaskRecord extends TaskSummary {
  params: Record<string, unknown>
  ignored: string[]
  artifacts: Artifact[]
  checkpoint: { at: string; note: string } | null
  history: HistoryEntry[]
}

export interface TaskList {
  items: TaskSummary[]
  next_cursor: string | null
  total: number
  total_is_capped: boolean
  stream_cursor: string | null
  facets?: {
    status?: Partial<Record<TaskStatus, number>>
    kind?: Record<string, number>
    platform?: Record<string, number>
  }
}

export interface TaskListQuery {
  status?: string
  kind?: string
  platform?: string
  type?: string
  q?: string
  ids?: string
  sort?: string
  cursor?: string
  limit?: number
  facets?: 1
}

export interface TaskCreate {
  platform: string
  type?: string
  params: Record<string, unknown>
  title?: string
  start?: 'now' | 'manual'
}

export interface Item {
  id: string
  task_id: string
  platform: string
  kind: string
  item_id: string
  url: string | null
  title: string | null
  text: string | null
  lang: string | null
  author: { id_hash: string; name_masked: string } | null
  published_at: string | null
  metrics: Record<string, number | null | Record<string, string>>
  first_seen_at: string
}

export interface Page {
  url: string
  final_url: string | null
  state: 'queued' | 'in_flight' | 'done' | 'failed'
  outcome: 'ok' | 'empty' | 'blocked' | 'failed' | 'skipped' | 'aborted' | null
  reason: string | null
  http_status: number | null
  depth: number
  attempts: number
  size_bytes: number | null
  error: { name: string; message?: string } | string | null
  fetched_at: string | null
  item_id: string | null
}

export type LogLevel = 'debug' | 'info' | 'warning' | 'error'

export interface LogLine {
  seq: number
  at: string
  level: LogLevel
  message: string
  fields: Record<string, unknown>
}

export interface Listing<T> {
  items: T[]
  next_cursor: string | null
}

export interface LogPage extends Listing<LogLine> {
  first_seq: number | null
  last_seq: number | null
}

export interface Upload {
  upload_id: string
  media_type: string
  size_bytes: number
}

export interface Text {
  zh: string
  en: string
}

export interface PlatformType {
  id: string
  title: Text
  schema: JsonSchema
  defaults: Record<string, unknown>
  examples: { title: Text; params: Record<string, unknown> }[]
}

export interface Platform {
  id: string
  kind: TaskKind
  title: Text
  icon: string | null
  default_type: string
  types: PlatformType[]
  capabilities: string[]
  limits: { max_running: number | null; min_interval_s: number | null }
  auth: { needed: boolean; state: 'none' | 'missing' | 'ok' | 'expired' | 'unknown' }
  availability: { available: boolean; reason: string | null; advice: string | null }
  live_checked_at: string | null
}

/** What of JSON Schema (2020-12) the form reads; anything else is kept and shown as JSON. */
export interface JsonSchema {
  [keyword: string]: unknown
  type?: string | string[]
  title?: string
  description?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
}

export interface ComponentHealth {
  state: 'ok' | 'degraded' | 'down' | 'off'
  latency_ms?: number | null
  since?: string | null
  advice?: string | null
  [more: string]: unknown
}

export interface Health {
  status: 'ok' | 'degraded' | 'down'
  version?: string
  revision?: string
  stale?: boolean
  uptime_s?: number
  pid?: number
  memory_mode?: boolean
  components: Record<string, ComponentHealth>
}

export interface ErrorField {
  path: string
  code: string
  message: string
}

export interface ErrorBody {
  code: number
  message: string
  error: {
    name: string
    retryable: boolean
    advice: string | null
    fields?: ErrorField[]
    request_id: string | null
  }
}
