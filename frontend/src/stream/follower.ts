/**
 * The stream of this tab: where it is, what it follows, and what is done while it is away.
 *
 * A cursor comes from a task list and then from every change, so that a new connection goes on where the last one ended.
 * Before each new connection the server is asked where its stream is: nobody answers (reconnecting), it has none (poll).
 */

import { type Ref, shallowRef } from 'vue'

import type { OpenSource, StreamEvent } from './source'

export type Mode = 'starting' | 'live' | 'reconnecting' | 'polling'

export interface FollowerParts {
  open: OpenSource
  /** The server's `stream_cursor`, null while it has no stream; rejects when nobody answers. */
  ask: () => Promise<string | null>
  onEvent: (event: StreamEvent) => void
  /** A connection stands: passing frames may have been lost before it. */
  onOpen: () => void
  /** It begins at a cursor that is younger than what is on the page. */
  onColdStart: (cursor: string) => void
  random?: () => number
}

const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 10_000
const ASK_AGAIN_MS = 2_000
const QUIET_MS = 20_000
const LATE_MS = 3_000
const HIDDEN_MS = 30_000
const TOPICS_SETTLE_MS = 30
const PATIENT_ATTEMPTS = 2

export class Follower {
  readonly mode: Ref<Mode> = shallowRef<Mode>('starting')
  private cursor: string | null = null
  private close: (() => void) | null = null
  private attempts = 0
  private isSuspended = false
  private isAsking = false
  private status: unknown = 'ok'
  private readonly topics = new Map<string, number>([['tasks', 1]])
  private timers: Partial<Record<'retry' | 'quiet' | 'late' | 'hidden' | 'topics', ReturnType<typeof setTimeout>>> = {}

  constructor(private readonly parts: FollowerParts) {}

  /** Take note of what a list said: where its stream is, or that it has none. */
  heard(cursor: string | null): void {
    if (this.isSuspended) return
    if (cursor === null) this.poll()
    else if (this.close === null) this.connect(cursor)
  }

  /** Begin on a page that has no list: ask. */
  begin(): void {
    if (this.mode.value === 'starting' && this.close === null) void this.retry()
  }

  /** Follow more topics, until the function that is returned is called. */
  follow(topics: readonly string[]): () => void {
    this.count(topics, 1)
    return () => this.count(topics, -1)
  }

  /** Nobody looks: after a while the connection is given back, so that six tabs do not stop the seventh. */
  hidden(): void {
    this.after('hidden', HIDDEN_MS, () => this.suspend())
  }

  visible(): void {
    this.stop('hidden')
    if (!this.isSuspended) return
    this.isSuspended = false
    void this.retry()
  }

  suspend(): void {
    this.isSuspended = true
    this.disconnect()
    this.mode.value = 'reconnecting'
  }

  /** The machine says that it has no network, or has it again. */
  offline(): void {
    if (!this.isSuspended) this.dropped()
  }

  online(): void {
    if (!this.isSuspended && this.close === null) void this.retry()
  }

  private connect(cursor: string): void {
    const isCold = this.cursor === null
    this.cursor ??= cursor
    if (isCold) this.parts.onColdStart(cursor)
    this.reopen()
  }

  private reopen(): void {
    this.disconnect()
    const close = this.parts.open([...this.topics.keys()].sort(), this.cursor, {
      onOpen: () => this.close === close && this.opened(),
      onEvent: (event, id) => this.close === close && this.take(event, id),
      onDrop: () => this.close === close && this.dropped(),
    })
    this.close = close
  }

  private opened(): void {
    this.attempts = 0
    this.mode.value = 'live'
    this.listen()
    this.parts.onOpen()
  }

  private take(event: StreamEvent, id: string | null): void {
    this.cursor = id ?? this.cursor
    this.listen()
    this.parts.onEvent(event)
    const { status, stream_cursor: cursor } = event.data as { status?: unknown; stream_cursor?: string | null }
    if (event.name === 'resync') {
      this.cursor = cursor ?? this.cursor
      if (cursor === null) void this.check()
    }
    if (event.name === 'system' && status !== this.status) {
      this.status = status
      void this.check()
    }
  }

  private dropped(): void {
    this.disconnect()
    if (this.mode.value !== 'polling') this.mode.value = 'reconnecting'
    this.planRetry()
  }

  /** The server answers, and has no stream. */
  private poll(): void {
    this.disconnect()
    this.mode.value = 'polling'
    this.after('retry', ASK_AGAIN_MS, () => void this.retry())
  }

  private planRetry(): void {
    const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.attempts)
    this.attempts += 1
    this.after('retry', wait * (0.75 + 0.5 * (this.parts.random ?? Math.random)()), () => void this.retry())
  }

  private async retry(): Promise<void> {
    this.stop('retry')
    if (this.isSuspended || this.isAsking || this.close !== null) return
    const cursor = await this.asked()
    if (this.isSuspended || this.close !== null) return
    if (cursor === undefined) return this.planRetry()
    if (this.attempts > PATIENT_ATTEMPTS) this.mode.value = 'polling'
    this.heard(cursor)
  }

  /** Is the stream still one? After silence, and when the server says that something is the matter. */
  private async check(): Promise<void> {
    const place = this.cursor
    const cursor = await this.asked()
    if (this.close === null) return
    if (cursor === undefined) this.dropped()
    else if (cursor === null) this.poll()
    else if (cursor !== this.cursor && this.cursor === place) {
      // It knows of a change that has not come: give it a moment on the way.
      this.after('late', LATE_MS, () => this.cursor === place && this.close !== null && this.dropped())
    }
  }

  /** The cursor; undefined when nobody answers. */
  private async asked(): Promise<string | null | undefined> {
    this.isAsking = true
    try {
      return await this.parts.ask()
    } catch {
      return undefined
    } finally {
      this.isAsking = false
    }
  }

  private listen(): void {
    this.after('quiet', QUIET_MS, () => {
      void this.check()
      this.listen()
    })
  }

  private count(topics: readonly string[], by: number): void {
    for (const topic of topics) {
      const readers = (this.topics.get(topic) ?? 0) + by
      if (readers > 0) this.topics.set(topic, readers)
      else this.topics.delete(topic)
    }
    // From one task's page to another is one change.
    this.after('topics', TOPICS_SETTLE_MS, () => this.close !== null && this.reopen())
  }

  private disconnect(): void {
    this.close?.()
    this.close = null
    this.stop('retry')
    this.stop('quiet')
    this.stop('late')
  }

  private after(name: keyof Follower['timers'], ms: number, work: () => void): void {
    this.stop(name)
    this.timers[name] = setTimeout(work, ms)
  }

  private stop(name: keyof Follower['timers']): void {
    clearTimeout(this.timers[name])
  }
}
