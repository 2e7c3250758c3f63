import createClient from 'openapi-fetch'

import { failed, reached } from '@/app/connection'
import { ApiError, errorOf, networkError } from './errors'
import { logError, logResponse } from './console-lines'
import type { paths } from './paths'
import type { Envelope } from './types'

export const client = createClient<paths>({
  baseUrl: globalThis.location.origin,
  fetch: (request) => globalThis.fetch(request),
  headers: { Accept: 'application/json' },
  querySerializer: { array: { style: 'form', explode: false } },
})

const SAFE_METHODS = new Set(['GET', 'HEAD'])

client.use({
  onRequest({ request }) {
    request.headers.set('Accept-Language', document.documentElement.lang || 'zh-CN')
    const token = /(?:^|;\s*)mcp_xsrf=([^;]+)/.exec(document.cookie)?.[1]
    if (token && !SAFE_METHODS.has(request.method)) request.headers.set('X-XSRF-Token', decodeURIComponent(token))
    return request
  },
})

interface Answer<Body> {
  data?: Body
  error?: unknown
  response: Response
}

/** The parsed body; ApiError when the server refused or nobody answered. Tells the connection badge either way. */
export async function body<Body>(path: string, call: Promise<Answer<Body>>): Promise<Body> {
  let answer: Answer<Body>
  try {
    answer = await call
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause
    // A body that is no JSON (a proxy's page) ends here too: for the reader it is the same as no answer.
    throw report(path, networkError(cause))
  }
  if (answer.data === undefined || !answer.response.ok) {
    const error = errorOf(answer.response.status, answer.error, answer.response.headers.get('X-Request-Id'))
    if (error.status === 401 && error.errorName === 'AUTH_REQUIRED') signIn()
    throw report(path, error)
  }
  reached()
  logResponse(path)
  return answer.data
}

/** `data` of the envelope. */
export async function unwrap<Data>(path: string, call: Promise<Answer<Envelope<Data>>>): Promise<Data> {
  return (await body(path, call)).data
}

/** To the login page and back here: without a session nothing on this page can be read. */
function signIn(): void {
  const { pathname, search } = globalThis.location
  globalThis.location.assign(`/login?next=${encodeURIComponent(pathname + search)}`)
}

function report(path: string, error: ApiError): ApiError {
  if (error.isOffline) failed()
  else reached()
  logError(error.status, error.errorName, path)
  return error
}
