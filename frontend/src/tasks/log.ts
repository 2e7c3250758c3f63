import { onScopeDispose, ref, shallowRef, watch } from 'vue'

import { ApiError } from '@/api/errors'
import { listLogs, type LogRange } from '@/api/tasks'
import type { LogLevel, LogLine, LogPage, TaskRecord } from '@/api/types'
import { isLive, useLogNews } from '@/stream/stream'
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

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warning', 'error']

/** The chosen level is a minimum. */
function isShown(line: LogLine, level: LogLevel | ''): boolean {
  return level === '' || LEVELS.indexOf(line.level) >= LEVELS.indexOf(level)
}

/** How far a page of the log goes: to the end of the log when it is not full. */
function reached(page: LogPage): number {
  const last = page.items.at(-1)?.seq ?? 0
  return page.items.length < FIRST_LINES ? Math.max(last, page.last_seq ?? 0) : last
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
  // The highest line that is known to be all there, whatever its level.
  let lastSeq = 0
  let reading: Promise<void> = Promise.resolve()
  let catching: Promise<void> | undefined

  const query = (): LogRange => ({ level: level() || undefined })

  async function read(range: LogRange, signal: AbortSignal) {
    const page = await listLogs(task().task_id, { ...query(), ...range }, signal)
    if (range.before === undefined) lastSeq = Math.max(lastSeq, reached(page))
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
    lastSeq = 0
    isPending.value = true
    reading = guarded(async (signal) => {
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
    if (isMoving(task()) && !isLive.value) timer = setTimeout(() => void catchUp(), POLL_MS)
  }

  async function poll(): Promise<void> {
    await guarded(async (signal) => {
      const more = await read({ after: Math.max(lastSeq, lines.value.at(-1)?.seq ?? 0), limit: FIRST_LINES }, signal)
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

  /** Lines as they are written. A gap, or lines that came while the first ones were read, are asked for. */
  function take(news: { task_id: string; lines: readonly LogLine[] }): void {
    const [first] = news.lines
    if (news.task_id !== task().task_id || first === undefined) return
    const isWhole = !isPending.value && first.seq <= lastSeq + 1
    if (isWhole) {
      lastSeq = Math.max(lastSeq, news.lines.at(-1)!.seq)
      lines.value = appendLines(lines.value, news.lines.filter((line) => isShown(line, level())))
    } else void catchUp().then(() => (lastSeq = Math.max(lastSeq, error.value ? 0 : news.lines.at(-1)!.seq)))
  }

  /** Read on once what is being read has come; many calls are one. */
  function catchUp(): Promise<void> {
    catching ??= reading
      .then(() => {
        catching = undefined
        reading = poll()
        return reading
      })
    return catching
  }

  useLogNews(take, () => void catchUp())
  watch(isLive, plan)
  watch([() => task().task_id, level], restart, { immediate: true })
  // The last lines are written just before the end: read once more when it comes.
  watch(
    () => task().status,
    () => void catchUp(),
  )
  onScopeDispose(() => {
    life.abort()
    clearTimeout(timer)
  })

  return { lines, error, isPending, hasOlder, older, restart }
}
