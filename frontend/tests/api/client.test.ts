import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { ApiError } from '@/api/errors'
import { createTask, getHealth, getTask, listTasks } from '@/api/tasks'
import { connection, isOffline } from '@/app/connection'
import { envelope, refusal, serve } from '../server'
import { aTask } from '../task'

const failure = async (call: Promise<unknown>): Promise<ApiError> => {
  const error = await call.then(() => null).catch((cause: unknown) => cause)
  if (!(error instanceof ApiError)) throw new Error('it did not fail as it should')
  return error
}

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})

describe('answers', () => {
  it('are the data of the envelope', async () => {
    serve({ 'GET /api/v1/tasks/t_1': () => [200, envelope(aTask())] })

    expect((await getTask('t_1')).title).toBe('docs.example.org')
  })

  it('of a create carry the key that makes it safe to repeat', async () => {
    const asked = serve({ 'POST /api/v1/tasks': () => [200, envelope(aTask())] })

    await createTask({ platform: 'web', params: {} }, 'key-1')

    expect(asked[0]?.headers.get('Idempotency-Key')).toBe('key-1')
    expect(asked[0]?.body).toEqual({ platform: 'web', params: {} })
  })

  it('of /health are read even when the server says it is down', async () => {
    serve({ 'GET /health': () => [503, { status: 'down', components: { mongodb: { state: 'down' } } }] })

    expect((await getHealth()).status).toBe('down')
  })
})

describe('errors', () => {
  it('keep the word, the fields and the request id of the server', async () => {
    const fields = [{ path: 'params.start_urls.0', code: 'PRIVATE_ADDRESS', message: '不允许' }]
    serve({ 'POST /api/v1/tasks': () => [422, refusal(42_201, 'VALIDATION_FAILED', fields)] })

    const error = await failure(createTask({ platform: 'web', params: {} }, 'k'))

    expect(error).toMatchObject({ status: 422, errorName: 'VALIDATION_FAILED', requestId: 'r_1', fields })
    expect(isOffline.value).toBe(false)
  })

  it('without an answer count as offline until somebody answers', async () => {
    serve({})

    const error = await failure(getTask('t_1'))

    expect(error).toMatchObject({ status: 0, errorName: 'NETWORK', isOffline: true })
    expect(connection.failures).toBeGreaterThan(0)
    serve({ 'GET /api/v1/tasks/t_1': () => [200, envelope(aTask())] })
    await getTask('t_1')
    expect(isOffline.value).toBe(false)
  })

  it('of a proxy count as no answer', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('<h1>Bad Gateway</h1>', { status: 502 })))

    expect((await failure(getTask('t_1'))).isOffline).toBe(true)
  })
})

describe('a session', () => {
  afterEach(() => {
    document.cookie = 'mcp_xsrf=; Max-Age=0'
    history.replaceState(null, '', '/')
  })

  it('shows with a write, and only with a write, that our page sent it', async () => {
    document.cookie = 'mcp_xsrf=abc123'
    const asked = serve({
      'POST /api/v1/tasks': () => [200, envelope(aTask())],
      'GET /api/v1/tasks/t_1': () => [200, envelope(aTask())],
    })

    await createTask({ platform: 'web', params: {} }, 'k')
    await getTask('t_1')

    expect(asked.map(({ headers }) => headers.get('X-XSRF-Token'))).toEqual(['abc123', null])
  })

  it('that is over leads to the login page and back here', async () => {
    history.replaceState(null, '', '/tasks?q=%E9%9C%B2%E8%90%A5&status=running')
    const assign = vi.spyOn(location, 'assign').mockImplementation(() => undefined)
    serve({ 'GET /api/v1/tasks/t_1': () => [401, refusal(40_101, 'AUTH_REQUIRED')] })

    await failure(getTask('t_1'))

    expect(assign).toHaveBeenCalledExactlyOnceWith(
      `/login?next=${encodeURIComponent('/tasks?q=%E9%9C%B2%E8%90%A5&status=running')}`,
    )
  })

  it('is not asked for when somebody else answers 401', async () => {
    const assign = vi.spyOn(location, 'assign').mockImplementation(() => undefined)
    serve({ 'GET /api/v1/tasks/t_1': () => [401, { message: 'a proxy' }] })

    await failure(getTask('t_1'))

    expect(assign).not.toHaveBeenCalled()
  })
})

describe('the console', () => {
  it('has one line for an answer, without its query', async () => {
    serve({ 'GET /api/v1/tasks': () => [200, envelope({ items: [] })] })

    await listTasks({ limit: 50, q: 'x' })

    expect(console.log).toHaveBeenCalledExactlyOnceWith('📥 API 响应: /api/v1/tasks')
  })

  it('has one line for an error', async () => {
    serve({ 'GET /api/v1/tasks/t_9': () => [404, refusal(40_401, 'TASK_NOT_FOUND')] })

    await failure(getTask('t_9'))

    expect(console.error).toHaveBeenCalledExactlyOnceWith('❌ 响应错误: 404 TASK_NOT_FOUND /api/v1/tasks/t_9')
  })

  it('says nothing in the built app', async () => {
    vi.stubEnv('DEV', false)
    serve({ 'GET /api/v1/tasks/t_1': () => [200, envelope(aTask())] })

    await getTask('t_1')

    expect(console.log).not.toHaveBeenCalled()
    vi.unstubAllEnvs()
  })

  it('speaks in the built app when asked to', async () => {
    vi.stubEnv('DEV', false)
    localStorage.setItem('debug', '1')
    serve({ 'GET /api/v1/tasks/t_1': () => [200, envelope(aTask())] })

    await getTask('t_1')

    expect(console.log).toHaveBeenCalledOnce()
    vi.unstubAllEnvs()
  })
})
