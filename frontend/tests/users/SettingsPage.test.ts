import { fireEvent, waitFor, within } from '@testing-library/vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import type { Token } from '@/api/users'
import SettingsPage from '@/pages/SettingsPage.vue'
import { aMember, nobody } from '../me'
import { envelope, refusal, serve } from '../server'
import { show } from '../show'

const ME = aMember()
const SECRET = 'mcp_s3cr3t-t0k3n-0f-b0'
const TOKEN: Token = {
  token_id: 'k_1',
  label: '每日导出',
  last_four: '9f3c',
  created_by: 'bo',
  created_at: '2026-11-22T08:00:00.000Z',
}

function settings(more: Parameters<typeof serve>[0] = {}, tokens: Token[] = []) {
  return serve({
    'GET /api/v1/me': () => [200, envelope(ME)],
    'GET /api/v1/tokens': () => [200, envelope({ items: tokens, next_cursor: null })],
    ...more,
  })
}

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
    this.open = true
  }
})

async function typePasswords(page: Awaited<ReturnType<typeof show>>, again: string) {
  await fireEvent.update(await page.findByLabelText('当前密码'), 'the-old-one-1')
  await fireEvent.update(page.getByLabelText('新密码'), 'the-new-one-2')
  await fireEvent.update(page.getByLabelText('再输入一次新密码'), again)
}

describe("one's own password", () => {
  it('is changed, and the way leads to the login page', async () => {
    const left = vi.fn()
    vi.stubGlobal('location', { ...globalThis.location, assign: left, origin: globalThis.location.origin })
    const asked = settings({ 'PATCH /api/v1/me': () => [200, envelope({ user_id: 'u_2' })] })
    const page = await show(SettingsPage)
    await typePasswords(page, 'the-new-one-2')

    await fireEvent.click(page.getByText('修改密码'))

    await expect.poll(() => left.mock.calls).toEqual([['/login']])
    const body = { current_password: 'the-old-one-1', password: 'the-new-one-2' }
    expect(asked.find((one) => one.method === 'PATCH')?.body).toEqual(body)
  })

  it('is not sent while the two differ', async () => {
    settings()
    const page = await show(SettingsPage)

    await typePasswords(page, 'the-new-one-3')

    await page.findByText('两次输入的新密码不一样')
    expect(page.getByText<HTMLButtonElement>('修改密码').disabled).toBe(true)
  })

  it('says at its field that the current one is wrong', async () => {
    const fields = [{ path: 'current_password', code: 'NOT_ALLOWED', message: '当前密码不正确' }]
    settings({ 'PATCH /api/v1/me': () => [422, refusal(42201, 'VALIDATION_FAILED', fields)] })
    const page = await show(SettingsPage)
    await typePasswords(page, 'the-new-one-2')

    await fireEvent.click(page.getByText('修改密码'))

    await page.findByText('当前密码不正确')
    expect(page.getByLabelText('当前密码').getAttribute('aria-invalid')).toBe('true')
  })

  it('is nobody to change where nobody signs in', async () => {
    const asked = serve({ 'GET /api/v1/me': () => [200, envelope(nobody())] })

    const page = await show(SettingsPage)

    await expect.poll(() => asked.length).toBe(1)
    expect(page.queryByLabelText('当前密码')).toBeNull()
    expect(asked.map((one) => one.path)).toEqual(['/api/v1/me'])
  })
})

describe("one's own tokens", () => {
  it('are shown once when they are made', async () => {
    const asked = settings({ 'POST /api/v1/tokens': () => [200, envelope({ ...TOKEN, token: SECRET })] })
    const page = await show(SettingsPage)
    await fireEvent.update(await page.findByLabelText('用途'), '每日导出')

    await fireEvent.click(page.getByText('创建令牌'))

    await page.findByText(SECRET)
    expect(asked.find((one) => one.method === 'POST')?.body).toEqual({ label: '每日导出' })
    page.unmount()
    expect(document.body.innerHTML + JSON.stringify(localStorage)).not.toContain(SECRET)
  })

  it('are told by their last characters, and removed after a question', async () => {
    const asked = settings(
      { 'DELETE /api/v1/tokens/k_1': () => [200, envelope({ token_id: 'k_1', deleted: true })] },
      [TOKEN],
    )
    const page = await show(SettingsPage)
    await page.findByText('…9f3c')
    await fireEvent.click(page.getByLabelText('删除令牌：每日导出'))

    await fireEvent.click(within(page.getByText('删除令牌“每日导出”？').closest('dialog')!).getByText('删除'))

    await waitFor(() => expect(asked.some((one) => one.method === 'DELETE')).toBe(true))
    await waitFor(() => expect(page.queryByText('删除令牌“每日导出”？')).toBeNull())
  })
})
