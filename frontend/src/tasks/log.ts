import { onScopeDispose, ref, shallowRef, watch } from 'vue'

import { ApiError } from '@/api/errors'
import { listLogs, type LogRange } from '@/api/tasks'
import type { LogLevel, LogLine, TaskRecord } from '@/api/types'
import { isMoving } from './status'

const FIRST_LINES = 1_000
const KEPT_LINES = 50_000
const POLL_MS = 1_000

/** `lines` followed by those of `more` that are new, at most `kept`: the oldest go first. */
export function appendLines(lines: readonly LogLine[], more: readonly LogLine[], kept = KEPT_LINES): readonly LogLine[] {
  const last = lines.at(-1)?.seq ?? 0
  const fresh = more.filter((line) => line.seq > last)
  return fresh.length === 0 ? lines : [...lines, ...fresh].slice(-kept)
}

/** ANSI colour codes of child processes mean nothing here. */
export function plainText(message: string): string {
  // eslint-disable-next-line no-control-regex
  return message.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '')
}

/**
 * The log of a task: its newest lines first, then what comes after them while the task moves.
 *
 * Lines are replaced as a whole, never deeply reactive: 10,000 lines cost 2 s instead of 7.5 s.
 */
export function useLog(task: () => TaskRecord, level: () => LogLevel | '') {
  const lines = shallowRef<readonly LogLine[]>([])
  const error = shallowRef<ApiError | null>(null)
  const isPending = ref(true)
  const hasOlder = ref(false)
  let timer: ReturnType<typeof setTimeout> | undefined
  let life = new AbortController()

  const query = (): LogRange => ({ level: level() || undefined })

  async function read(range: LogRange, signal: AbortSignal) {
    const page = await listLogs(task().task_id, { ...query(), ...range }, signal)
    return page.items
  }

  async function guarded(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = life
    try {
      await work(signal)
      error.value = null
    } catch (cause) {
      if (signal.aborted) return
      if (!(cause instanceof ApiError)) throw cause
      error.value = cause
    }
  }

  function restart(): void {
    life.abort()
    life = new AbortController()
    clearTimeout(timer)
    lines.value = []
    isPending.value = true
    void guarded(async (signal) => {
      const newest = await read({ limit: FIRST_LINES }, signal)
      lines.value = newest
      hasOlder.value = newest.length === FIRST_LINES
    }).then(() => {
      isPending.value = false
      plan()
    })
  }

  function plan(): void {
    clearTimeout(timer)
    if (life.signal.aborted) return
    if (isMoving(task())) timer = setTimeout(() => void poll(), POLL_MS)
  }

  async function poll(): Promise<void> {
    await guarded(async (signal) => {
      const more = await read({ after: lines.value.at(-1)?.seq ?? 0, limit: FIRST_LINES }, signal)
      lines.value = appendLines(lines.value, more)
    })
    plan()
  }

  async function older(): Promise<void> {
    const first = lines.value[0]?.seq
    if (!hasOlder.value || first === undefined || first <= 1) return
    hasOlder.value = false
    await guarded(async (signal) => {
      const before = await read({ before: first, limit: FIRST_LINES }, signal)
      lines.value = [...before, ...lines.value]
      hasOlder.value = before.length === FIRST_LINES
    })
  }

  watch([() => task().task_id, level], restart, { immediate: true })
  // The last lines are written just before the end: read once more when it comes.
  watch(
    () => task().status,
    () => void poll(),
  )
  onScopeDispose(() => {
    life.abort()
    clearTimeout(timer)
  })

  return { lines, error, isPending, hasOlder, older, restart }
}
