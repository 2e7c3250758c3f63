import type { TaskStatus, TaskSummary } from '@/api/types'

export type Tone = 'success' | 'warning' | 'danger' | 'info' | 'neutral'

/** Shape and tone together: colour never carries the state alone. */
export const STATUS_LOOK: Record<TaskStatus, { tone: Tone; mark: string }> = {
  held: { tone: 'neutral', mark: '□' },
  pending: { tone: 'neutral', mark: '◌' },
  running: { tone: 'info', mark: '●' },
  waiting: { tone: 'warning', mark: '◆' },
  cancelling: { tone: 'warning', mark: '◐' },
  cancelled: { tone: 'neutral', mark: '■' },
  succeeded: { tone: 'success', mark: '✓' },
  partial: { tone: 'warning', mark: '◑' },
  failed: { tone: 'danger', mark: '▲' },
  timed_out: { tone: 'danger', mark: '△' },
}

const CANCELLABLE: ReadonlySet<TaskStatus> = new Set(['held', 'pending', 'running', 'waiting', 'cancelling'])
const MOVING: ReadonlySet<TaskStatus> = new Set(['pending', 'running', 'cancelling'])

export function isCancellable(status: TaskStatus): boolean {
  return CANCELLABLE.has(status)
}

/** True while the task may change by itself, so that it is worth asking often. */
export function isMoving(task: Pick<TaskSummary, 'status'>): boolean {
  return MOVING.has(task.status)
}

/** What only a person can do on a page: the server keeps a picture of it. */
const ON_A_PAGE: ReadonlySet<string> = new Set(['NEEDS_LOGIN', 'NEEDS_CAPTCHA'])

/** True while the task runs on with its page open for a person. */
export function isPageOpen(task: Pick<TaskSummary, 'status' | 'progress'>): boolean {
  return task.status === 'running' && task.progress?.stage === 'needs_person'
}

/** True when there may be a page to show: open, or left behind by a task that waits. */
export function isChallenged(task: Pick<TaskSummary, 'status' | 'progress' | 'notice'>): boolean {
  return isPageOpen(task) || (task.status === 'waiting' && task.notice !== null && ON_A_PAGE.has(task.notice.code))
}

/** 0..100, or null when the total is not known. */
export function percentOf(task: Pick<TaskSummary, 'progress' | 'status'>): number | null {
  if (task.status === 'succeeded') return 100
  const progress = task.progress
  if (!progress?.total) return null
  return Math.min(100, Math.floor((progress.done / progress.total) * 100))
}

/** How many results the task has so far, or null when it has none to count. */
export function savedCount(task: Pick<TaskSummary, 'books' | 'cancel'>): number | null {
  return task.cancel?.saved ?? task.books?.stored ?? null
}
