import { failed, reached } from '@/app/connection'
import { logError, logResponse } from './console-lines'
import { ApiError, errorOf, networkError } from './errors'
import type { operations } from './generated'

export type ExportFormat = operations['get_items_export']['parameters']['query']['format']
export const FORMATS = ['xlsx', 'csv', 'json', 'jsonl'] as const satisfies readonly ExportFormat[]

/** A HEAD is refused without a body: what its status can only mean here. */
const NAMES: Record<number, string> = {
  401: 'AUTH_REQUIRED',
  404: 'TASK_NOT_FOUND',
  422: 'VALIDATION_FAILED',
  429: 'EXPORTS_BUSY',
  503: 'STORE_UNAVAILABLE',
}

/** The address of a task's file, in the language and on the clock of the reader. */
export function exportAddress(taskId: string, format: ExportFormat, locale: string): string {
  const tz = new Intl.DateTimeFormat().resolvedOptions().timeZone
  const query = new URLSearchParams({ format, lang: locale.startsWith('zh') ? 'zh' : 'en', ...(tz ? { tz } : {}) })
  return `/api/v1/tasks/${encodeURIComponent(taskId)}/export?${query}`
}

/** Ask whether the file can be had; raises ApiError. A refused download itself would show nothing on the page. */
export async function checkExport(address: string): Promise<void> {
  const url = new URL(address, globalThis.location.origin)
  let answer: Response
  try {
    answer = await globalThis.fetch(new Request(url, { method: 'HEAD' }))
  } catch (cause) {
    failed()
    throw report(url.pathname, networkError(cause))
  }
  reached()
  if (!answer.ok) throw report(url.pathname, refusal(answer))
  logResponse(url.pathname)
}

function refusal(answer: Response): ApiError {
  const requestId = answer.headers.get('X-Request-Id')
  const name = NAMES[answer.status]
  if (name === undefined) return errorOf(answer.status, undefined, requestId)
  const error = { name, retryable: answer.status >= 429, advice: null, fields: [], request_id: requestId }
  return new ApiError(answer.status, { code: answer.status * 100, message: name, error }, requestId)
}

function report(path: string, error: ApiError): ApiError {
  logError(error.status, error.errorName, path)
  return error
}

/** Let the browser save what is at the address, under the name the server gives it. */
export function download(address: string): void {
  const link = document.createElement('a')
  link.href = address
  link.download = ''
  document.body.append(link)
  link.click()
  link.remove()
}
