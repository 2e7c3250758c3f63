import { beforeEach, describe, expect, it, vi } from 'vitest'

import { Follower, type FollowerParts } from '@/stream/follower'
import type { SourceHandlers } from '@/stream/source'

interface Opened extends SourceHandlers {
  topics: readonly string[]
  after: string | null
  isClosed: boolean
}

function begin(answers: (string | null | Error)[] = []) {
  const opened: Opened[] = []
  const parts = {
    open: (topics, after, handlers) => {
      const one: Opened = { ...handlers, topics, after, isClosed: false }
      opened.push(one)
      return () => (one.isClosed = true)
    },
    ask: vi.fn(async () => {
      const answer = answers.shift() ?? new Error('nobody')
      if (answer instanceof Error) throw answer
      return answer
    }),
    onEvent: vi.fn(),
    onOpen: vi.fn(),
    onColdStart: vi.fn(),
    random: () => 0.5,
  } satisfies FollowerParts
  return { follower: new Follower(parts), opened, parts, last: () => opened.at(-1)! }
}

const update = (version: number) => ({ name: 'task.updated' as const, data: { task: { version } } })

beforeEach(() => {
  vi.useFakeTimers()
})

describe('a stream', () => {
  it('begins where the first list ends, once', () => {
    const { follower, opened, parts, last } = begin()

    follower.heard('e.1')
    follower.heard('e.2')
    last().onOpen()

    expect(opened.map(({ topics, after }) => [topics, after])).toEqual([[['tasks'], 'e.1']])
    expect(parts.onColdStart).toHaveBeenCalledExactlyOnceWith('e.1')
    expect(follower.mode.value).toBe('live')
  })

  it('goes on after the last change when it was cut', async () => {
    const { follower, opened, last } = begin(['e.9'])
    follower.heard('e.1')
    last().onOpen()
    last().onEvent(update(2), 'e.5')

    last().onDrop()
    expect(follower.mode.value).toBe('reconnecting')
    await vi.advanceTimersByTimeAsync(600)

    expect(opened.map(({ after }) => after)).toEqual(['e.1', 'e.5'])
  })

  it('asks ever more seldom while nobody answers, and goes on when somebody does', async () => {
    const { follower, opened, parts, last } = begin([new Error(), new Error(), 'e.1'])
    follower.heard('e.1')
    last().onDrop()

    await vi.advanceTimersByTimeAsync(500)
    expect(parts.ask).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(3_000)
    last().onOpen()

    expect([parts.ask.mock.calls.length, opened.length, follower.mode.value]).toEqual([3, 2, 'live'])
  })

  it('is given up for asking when the server has none, and comes back by itself', async () => {
    const { follower, opened, last } = begin([null, 'e.7'])
    follower.heard('e.1')
    last().onOpen()

    follower.heard(null)
    expect([follower.mode.value, last().isClosed]).toEqual(['polling', true])
    await vi.advanceTimersByTimeAsync(4_000)
    last().onOpen()

    expect([follower.mode.value, opened.length]).toEqual(['live', 2])
  })

  it('goes on from the place that a resync names', async () => {
    const { follower, opened, last } = begin(['f.3'])
    follower.heard('e.1')
    last().onOpen()
    last().onEvent({ name: 'resync', data: { reason: 'flushed', stream_cursor: 'f.3' } }, 'f.3')

    last().onDrop()
    await vi.advanceTimersByTimeAsync(600)

    expect(opened.at(-1)?.after).toBe('f.3')
  })

  it('that is silent although something happened is taken for dead', async () => {
    const { follower, opened, last } = begin(['e.2', 'e.2'])
    follower.heard('e.1')
    last().onOpen()

    await vi.advanceTimersByTimeAsync(24_000)

    expect(opened.map(({ after }) => after)).toEqual(['e.1', 'e.1'])
  })

  it('is left alone while nothing happens', async () => {
    const { follower, opened, last } = begin(['e.1', 'e.1', 'e.1'])
    follower.heard('e.1')
    last().onOpen()

    await vi.advanceTimersByTimeAsync(60_000)

    expect([opened.length, follower.mode.value]).toEqual([1, 'live'])
  })

  it('of a page that nobody looks at is closed, and resumed in its place', async () => {
    const { follower, opened, last } = begin(['e.4', 'e.9'])
    follower.heard('e.1')
    last().onOpen()
    last().onEvent(update(2), 'e.4')

    follower.hidden()
    await vi.advanceTimersByTimeAsync(31_000)
    expect(last().isClosed).toBe(true)
    follower.visible()
    await vi.advanceTimersByTimeAsync(0)

    expect(opened.at(-1)?.after).toBe('e.4')
  })

  it('follows what is open, in one change from one task to the next', async () => {
    const { follower, opened, last } = begin()
    follower.heard('e.1')
    last().onOpen()

    const leave = follower.follow(['task:a', 'logs:a'])
    await vi.advanceTimersByTimeAsync(50)
    leave()
    follower.follow(['task:b', 'logs:b'])
    await vi.advanceTimersByTimeAsync(50)

    expect(opened.map(({ topics }) => topics.join())).toEqual(['tasks', 'logs:a,task:a,tasks', 'logs:b,task:b,tasks'])
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, true, false])
  })
})
