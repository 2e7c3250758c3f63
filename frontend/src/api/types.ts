/** The server's shapes under the names this page uses. They are generated; only what a schema leaves open is written here. */

import type { components, operations } from './generated'

type Schemas = components['schemas']

export type TaskRecord = Schemas['TaskRecord']
export type TaskSummary = Schemas['TaskSummary']
export type TaskList = Schemas['TaskList']
export type TaskListQuery = NonNullable<operations['get_tasks']['parameters']['query']>
export type TaskCreate = Schemas['TaskCreate']
export type TaskError = Schemas['TaskErrorOut']
export type TaskStatus = TaskRecord['status']
export type TaskKind = TaskRecord['kind']
export type Artifact = Schemas['ArtifactOut']
export type Item = Schemas['ItemOut']
export type Page = Schemas['PageOut']
export type LogLine = Schemas['LogLineOut']
export type LogLevel = LogLine['level']
export type LogPage = Omit<Schemas['LogList'], 'next_cursor'>
export type Text = Schemas['TitleOut']
export type SetCancelled = Schemas['SetCancelledOut']
export type Challenge = Schemas['ChallengeOut']
export type Drift = Schemas['DriftOut']
export type DriftGroup = Schemas['DriftGroupOut']
export type FieldDrift = Schemas['FieldDriftOut']
export type Batch = Schemas['BatchOut']
export type Retention = Schemas['RetentionOut']
export type RetentionRule = Schemas['RetentionRuleOut']
export type ErrorField = Schemas['ErrorField']

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
] as const satisfies readonly TaskStatus[]

export interface Envelope<T> {
  code: number
  message: string
  data: T
}

export interface Listing<T> {
  items: T[]
  next_cursor: string | null
}

export interface Upload {
  upload_id: string
  media_type: string
  size_bytes: number
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

export type PlatformType = Omit<Schemas['TypeOut'], 'schema'> & { schema: JsonSchema }
export type Platform = Omit<Schemas['PlatformOut'], 'types'> & { types: PlatformType[] }

/** One component of /health; each has some figures of its own besides. */
export interface ComponentHealth {
  state: Schemas['ComponentOut']['state']
  latency_ms?: number | null
  since?: string | null
  advice?: string | null
  [figure: string]: unknown
}

export type Health = Omit<Schemas['HealthOut'], 'components'> & { components: Record<string, ComponentHealth> }

/** An error as a proxy or an older server may send it, too. */
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
