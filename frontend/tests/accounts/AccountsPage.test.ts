import { fireEvent, waitFor } from '@testing-library/vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import type { Account, Login } from '@/api/accounts'
import LoginPanel from '@/accounts/LoginPanel.vue'
import AccountsPage from '@/pages/AccountsPage.vue'
import { envelope, refusal, serve } from '../server'
import { show } from '../show'

const SECRET = '030037aeS3cr3tS3ss10nValue'
const PLATFORM = {
  id: 'xhs',
  kind: 'crawl',
  title: { zh: '小红书', en: 'Xiaohongshu' },
  auth: { needed: true, state: 'missing' },
  availability: { available: true, reason: null, advice: null },
}

function anAccount(change: Partial<Account> = {}): Account {
  return {
    account_id: 'acc_1',
    platform: 'xhs',
    label: '运营一号',
    is_default: true,
    state: 'ok',
    checked_at: '2026-11-22T08:00:00.000Z',
    expires_at: null,
    has_cookies: true,
    cookies_hint: '****cdef',
    created_by: 'local',
    created_at: '2026-11-22T08:00:00.000Z',
    updated_at: '2026-11-22T08:00:00.000Z',
    history: [],
    ...change,
  }
}

function aLogin(change: Partial<Login> = {}): Login {
  return {
    login_id: 'l_1',
    platform: 'xhs',
    account_id: null,
    label: '默认账号',
    state: 'opening',
    message: '',
    in_window: false,
    until: '2026-11-22T08:10:00.000Z',
    problem: null,
    ...change,
  }
}

/** The stream of a login, played by the test. */
class PlayedSource extends EventTarget {
  static readonly CLOSED = 2
  static last: PlayedSource
  onerror: (() => void) | null = null
  readyState = 1
  constructor(readonly url: string) {
    super()
    PlayedSource.last = this
  }
  close(): void {
    this.readyState = PlayedSource.CLOSED
  }
  tell(name: string, data: unknown): void {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }))
  }
}

function accounts(items: Account[], change = {}) {
  return {
    'GET /api/v1/accounts': () => [200, envelope({ items, next_cursor: null, key_problem: null, ...change })],
    'GET /api/v1/platforms': () => [200, envelope({ items: [PLATFORM], next_cursor: null })],
  } as Parameters<typeof serve>[0]
}

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  vi.stubGlobal('EventSource', PlayedSource)
  PlayedSource.last = undefined as never
  HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
    this.open = true
  }
  URL.createObjectURL = vi.fn(() => 'blob:code')
  URL.revokeObjectURL = vi.fn()
})

describe('the accounts of a platform', () => {
  it.each([
    ['ok', '已登录'],
    ['expired', '登录已过期'],
    ['missing', '未登录'],
    ['unknown', '未检查'],
  ] as const)('shows %s as a word and a shape', async (state, word) => {
    serve(accounts([anAccount({ state })]))

    const page = await show(AccountsPage)

    expect((await page.findByText('运营一号')).closest('li')?.textContent).toContain(word)
  })

  it('shows of a stored session its last characters', async () => {
    serve(accounts([anAccount()]))

    const page = await show(AccountsPage)

    expect((await page.findByText(/已加密保存/)).textContent).toContain('****cdef')
  })

  it('says what is wrong with the key', async () => {
    const problem = { name: 'SECRETS_KEY_MISSING', message: '缺少密钥文件', advice: '从备份复制' }
    serve(accounts([], { key_problem: problem }))

    const page = await show(AccountsPage)

    expect((await page.findByText('SECRETS_KEY_MISSING')).closest('[role=alert]')?.textContent).toContain('从备份复制')
  })

  it('sends cookies once and shows them nowhere after that', async () => {
    const asked = serve({ ...accounts([]), 'POST /api/v1/accounts': () => [200, envelope(anAccount())] })
    const page = await show(AccountsPage)
    await page.findByText(/还没有账号/)
    await fireEvent.click(page.getByText('＋ 添加账号'))
    await fireEvent.update(page.getByLabelText('名称'), '运营一号')
    await fireEvent.update(page.getByLabelText(/Cookie/), `web_session=${SECRET}`)

    await fireEvent.click(page.getByText('保存'))

    await waitFor(() => expect(page.queryByText('保存')).toBeNull())
    const sent = asked.find((one) => one.method === 'POST')
    expect(sent?.body).toEqual({ platform: 'xhs', label: '运营一号', cookies: `web_session=${SECRET}` })
    expect(document.body.innerHTML).not.toContain(SECRET)
    expect(JSON.stringify(localStorage)).not.toContain(SECRET)
  })

  it('puts a refusal of cookies at their field', async () => {
    const fields = [{ path: 'cookies', code: 'NO_SESSION', message: '缺少登录用的 Cookie' }]
    serve({
      ...accounts([]),
      'POST /api/v1/accounts': () => [422, refusal(42201, 'VALIDATION_FAILED', fields)],
    })
    const page = await show(AccountsPage)
    await page.findByText(/还没有账号/)
    await fireEvent.click(page.getByText('＋ 添加账号'))
    await fireEvent.update(page.getByLabelText('名称'), 'a')
    await fireEvent.update(page.getByLabelText(/Cookie/), 'a=1')

    await fireEvent.click(page.getByText('保存'))

    expect(await page.findByText('缺少登录用的 Cookie')).toBeTruthy()
    expect(page.getByLabelText(/Cookie/).getAttribute('aria-invalid')).toBe('true')
  })

  it('shows why a check could not tell', async () => {
    const problem = { name: 'BROWSER_NOT_CONNECTED', message: '浏览器意外退出', advice: null }
    serve({
      ...accounts([anAccount()]),
      'POST /api/v1/accounts/acc_1/check': () => [200, envelope({ account: anAccount(), problem })],
    })
    const page = await show(AccountsPage)

    await fireEvent.click(await page.findByText('检查'))

    expect(await page.findByText('浏览器意外退出')).toBeTruthy()
  })

  it('asks before it removes one', async () => {
    const asked = serve({
      ...accounts([anAccount()]),
      'DELETE /api/v1/accounts/acc_1': () => [200, envelope({ account_id: 'acc_1', deleted: true })],
    })
    const page = await show(AccountsPage)
    await fireEvent.click(await page.findByText('删除'))
    expect(asked.some((one) => one.method === 'DELETE')).toBe(false)

    await fireEvent.click(page.getAllByText('删除').at(-1)!)

    await waitFor(() => expect(asked.some((one) => one.method === 'DELETE')).toBe(true))
  })
})

describe('a login', () => {
  const PROPS = { platform: 'xhs', account: null, title: '登录小红书' }
  const LOGIN = '/api/v1/accounts/xhs/login'

  async function begun() {
    const asked = serve({
      [`POST ${LOGIN}`]: () => [200, envelope(aLogin())],
      [`DELETE ${LOGIN}`]: () => [200, envelope({ login_id: 'l_1', deleted: true })],
    })
    const panel = await show(LoginPanel, PROPS)
    await waitFor(() => expect(PlayedSource.last?.url).toBe(LOGIN))
    return { panel, asked, source: PlayedSource.last }
  }

  it('shows the code on white while there is one, and its end', async () => {
    const { panel, source } = await begun()
    source.tell('state', aLogin({ state: 'waiting' }))
    source.tell('qr', { kind: 'qr', media_type: 'image/png', data: btoa('x') })

    const code = await panel.findByAltText('要扫描的二维码')
    source.tell('state', aLogin({ state: 'done', account_id: 'acc_1' }))

    expect(code.closest('figure')?.className).toContain('qr')
    expect(await panel.findByText('登录成功。')).toBeTruthy()
    expect(panel.queryByAltText('要扫描的二维码')).toBeNull()
    expect(panel.emitted().done).toHaveLength(1)
    expect(URL.revokeObjectURL).toHaveBeenCalledWith('blob:code')
  })

  it('is ended when the person leaves it', async () => {
    const { panel, asked, source } = await begun()

    panel.unmount()

    await waitFor(() => expect(asked.some((one) => one.method === 'DELETE')).toBe(true))
    expect(source.readyState).toBe(PlayedSource.CLOSED)
  })

  it('names what went wrong and can be begun again', async () => {
    const { panel, asked, source } = await begun()
    const problem = { name: 'BROWSER_NOT_CONNECTED', message: '浏览器意外退出', advice: '任务会重试' }
    source.tell('state', aLogin({ state: 'failed', problem }))

    await fireEvent.click(await panel.findByText('重试'))

    await waitFor(() => expect(asked.filter((one) => one.method === 'POST')).toHaveLength(2))
  })

  it('follows one that another page has begun', async () => {
    serve({ [`POST ${LOGIN}`]: () => [409, refusal(40901, 'STATE_CONFLICT')] })

    const panel = await show(LoginPanel, PROPS)
    await waitFor(() => expect(PlayedSource.last?.url).toBe(LOGIN))
    PlayedSource.last.tell('state', aLogin({ state: 'waiting', in_window: true }))

    expect(await panel.findByText(/浏览器窗口/)).toBeTruthy()
  })
})
