import type { ErrorBody, ErrorField } from './types'

/** What the server refused, or why it could not be asked (`status` 0: no answer at all). */
export class ApiError extends Error {
  readonly status: number
  readonly code: number
  readonly errorName: string
  readonly retryable: boolean
  readonly advice: string | null
  readonly fields: ErrorField[]
  readonly requestId: string | null

  constructor(status: number, body: ErrorBody, requestId: string | null) {
    super(body.message)
    this.name = 'ApiError'
    this.status = status
    this.code = body.code
    this.errorName = body.error.name
    this.retryable = body.error.retryable
    this.advice = body.error.advice
    this.fields = body.error.fields ?? []
    this.requestId = body.error.request_id ?? requestId
  }

  /** What is wrong with one field of the body, when that is what was refused. */
  at(path: string): string | undefined {
    return this.fields.find((field) => field.path === path)?.message
  }

  /** True when nobody answered: the server is away, or something between is. */
  get isOffline(): boolean {
    return this.errorName === 'NETWORK'
  }
}

function isErrorBody(body: unknown): body is ErrorBody {
  if (typeof body !== 'object' || body === null || !('error' in body)) return false
  const { error } = body as { error: unknown }
  return typeof error === 'object' && error !== null && typeof (error as { name?: unknown }).name === 'string'
}

function bare(name: string, message: string, code: number): ErrorBody {
  return { code, message, error: { name, retryable: true, advice: null, fields: [], request_id: null } }
}

/** The server's own error when the body is one; a proxy's 5xx counts as "nobody answered". */
export function errorOf(status: number, body: unknown, requestId: string | null): ApiError {
  if (isErrorBody(body)) return new ApiError(status, body, requestId)
  const name = status >= 500 ? 'NETWORK' : 'UNEXPECTED'
  return new ApiError(status, bare(name, `HTTP ${status}`, status * 100), requestId)
}

export function networkError(cause: unknown): ApiError {
  return new ApiError(0, bare('NETWORK', cause instanceof Error ? cause.message : String(cause), 0), null)
}
