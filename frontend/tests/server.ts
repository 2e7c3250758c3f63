/** A server for one test: what it answers by "METHOD path", and what it was asked. */

import { vi } from 'vitest'

export interface Asked {
  method: string
  path: string
  search: URLSearchParams
  headers: Headers
  body: unknown
}

type Answer = (asked: Asked) => [status: number, body: unknown] | Promise<[status: number, body: unknown]>

export function serve(answers: Record<string, Answer>): Asked[] {
  const asked: Asked[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const url = new URL(request.url)
    const text = await request.text()
    const one: Asked = {
      method: request.method,
      path: url.pathname,
      search: url.searchParams,
      headers: request.headers,
      body: text === '' ? undefined : JSON.parse(text),
    }
    asked.push(one)
    const answer = answers[`${one.method} ${one.path}`]
    if (answer === undefined) throw new TypeError(`nobody answers ${one.method} ${one.path}`)
    const [status, body] = await answer(one)
    return new Response(JSON.stringify(body), {
      status,
      headers: { 'Content-Type': 'application/json', 'X-Request-Id': 'r_test' },
    })
  })
  return asked
}

export const envelope = (data: unknown) => ({ code: 0, message: 'ok', data })

export function refusal(code: number, name: string, fields: { path: string; code: string; message: string }[] = []) {
  return { code, message: `refused: ${name}`, error: { name, retryable: false, advice: null, fields, request_id: 'r_1' } }
}
