/** One Server-Sent Events connection. It is never left to reconnect by itself: `after` in its address would grow old. */

export const EVENT_NAMES = ['task.created', 'task.updated', 'task.log', 'task.items', 'system', 'resync'] as const
export type EventName = (typeof EVENT_NAMES)[number]

export interface StreamEvent {
  name: EventName
  /** As the server sent it; the schemas are those of `GET /api/v1/stream`. */
  data: unknown
}

export interface SourceHandlers {
  onOpen: () => void
  /** `id` is the last one said so far: passing frames have none of their own. */
  onEvent: (event: StreamEvent, id: string | null) => void
  /** Refused, cut or ended: nothing more comes. */
  onDrop: () => void
}

export type OpenSource = (topics: readonly string[], after: string | null, handlers: SourceHandlers) => () => void

/** Open the stream and return what closes it. */
export const openSource: OpenSource = (topics, after, handlers) => {
  const search = new URLSearchParams({ topics: topics.join(',') })
  if (after !== null) search.set('after', after)
  const source = new EventSource(`/api/v1/stream?${search}`)
  source.onopen = handlers.onOpen
  source.onerror = () => {
    source.close()
    handlers.onDrop()
  }
  for (const name of EVENT_NAMES) {
    source.addEventListener(name, (event: MessageEvent<string>) => {
      const data = parsed(event.data)
      if (data !== undefined) handlers.onEvent({ name, data }, event.lastEventId || null)
    })
  }
  return () => {
    source.onopen = source.onerror = null
    source.close()
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
