import { fireEvent, waitFor, within } from '@testing-library/vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import type { User } from '@/api/users'
import AppShell from '@/components/AppShell.vue'
import UsersPage from '@/pages/UsersPage.vue'
import { newPassword } from '@/users/password'
import { aMember, anAdmin, nobody } from '../me'
import { envelope, refusal, serve } from '../server'
import { show } from '../show'

const ME = anAdmin()

function aUser(change: Partial<User> = {}): User {
  return {
    user_id: 'u_2',
    name: 'bo',
    role: 'member',
    is_disabled: false,
    created_by: '安娜',
    created_at: '2026-11-22T08:00:00.000Z',
    updated_at: '2026-11-22T08:00:00.000Z',
    last_login_at: null,
    history: [],
    ...change,
  }
}
const ANNA = aUser({ user_id: 'u_1', name: '安娜', role: 'admin', created_by: 'local' })

function users(items: User[], more: Parameters<typeof serve>[0] = {}) {
  return serve({
    'GET /api/v1/users': () => [200, envelope({ items, next_cursor: null })],
    'GET /api/v1/me': () => [200, envelope(ME)],
    ...more,
  })
}

/** What somebody may press beside a person. */
async function rowOf(page: Awaited<ReturnType<typeof show>>, name: string) {
  await page.findByText('（我）')
  return within(page.container.querySelector<HTMLElement>(`[data-user="${name}"]`)!)
}

async function openForm(page: Awaited<ReturnType<typeof show>>) {
  await page.findByText('bo')
  await fireEvent.click(page.getByText('＋ 添加用户'))
  await fireEvent.update(page.getByLabelText('用户名'), 'cy')
  return page.getByRole('button', { name: '添加用户', hidden: true })
}

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
    this.open = true
  }
})

describe('the people of a server', () => {
  it('were added by a person or a program, which is called by what it is', async () => {
    users([ANNA, aUser()])

    const page = await show(UsersPage)

    const [anna, bo] = [await rowOf(page, '安娜'), await rowOf(page, 'bo')]
    anna.getByText(/由 本机 添加于/)
    bo.getByText(/由 安娜 添加于/)
  })

  it('are shown with role, state and when they were last here', async () => {
    users([ANNA, aUser({ is_disabled: true })])

    const page = await show(UsersPage)

    await rowOf(page, 'bo')
    const said = page.container.querySelector('[data-user="bo"]')!.textContent
    expect(said).toContain('成员')
    expect(said).toContain('已停用')
    expect(said).toContain('还没有登录过')
  })

  it('cannot shut themselves out', async () => {
    users([ANNA, aUser()])

    const page = await show(UsersPage)

    expect((await rowOf(page, '安娜')).queryByText('停用')).toBeNull()
  })

  it('are shut out after a question', async () => {
    const asked = users([ANNA, aUser()], {
      'PATCH /api/v1/users/u_2': () => [200, envelope(aUser({ is_disabled: true }))],
    })
    const page = await show(UsersPage)
    await fireEvent.click((await rowOf(page, 'bo')).getByText('停用'))
    expect(asked.some((one) => one.method === 'PATCH')).toBe(false)

    await fireEvent.click(within(page.getByText('停用 bo？').closest('dialog')!).getByText('停用'))

    await waitFor(() => expect(page.queryByText('停用 bo？')).toBeNull())
    expect(asked.find((one) => one.method === 'PATCH')?.body).toEqual({ is_disabled: true })
  })

  async function askToRemove(more: Parameters<typeof serve>[0] = {}) {
    const facets = { status: { running: 2, succeeded: 5 }, kind: {}, platform: {} }
    const asked = users([ANNA, aUser()], {
      'GET /api/v1/tasks': () => [200, envelope({ items: [], next_cursor: null, total: 7, stream_cursor: null, facets })],
      ...more,
    })
    const page = await show(UsersPage)
    await fireEvent.click((await rowOf(page, 'bo')).getByText('删除'))
    const dialog = page.getByText('删除用户 bo？').closest('dialog')!
    return { asked, page, dialog, sure: () => fireEvent.click(within(dialog).getByText('删除')) }
  }

  it('are removed after a question that says what becomes of what they have', async () => {
    const { asked, page, dialog, sure } = await askToRemove({
      'DELETE /api/v1/users/u_2': () => [200, envelope({ user_id: 'u_2', deleted: true })],
    })
    await within(dialog).findByText(/7 个任务和它们的结果都会保留，创建者仍显示为 bo/)
    for (const told of [/令牌立即失效/, /其中 2 个还没有结束，不会因为删除而停止/, /用户名 bo 不会再给别人/, /不能恢复/]) within(dialog).getByText(told)
    expect(asked.find(({ path }) => path === '/api/v1/tasks')!.search.get('created_by')).toBe('bo')
    expect(asked.some((one) => one.method === 'DELETE')).toBe(false)

    await sure()

    await waitFor(() => expect(page.queryByText('删除用户 bo？')).toBeNull())
    expect(asked.filter((one) => one.method === 'DELETE').map((one) => one.path)).toEqual(['/api/v1/users/u_2'])
  })

  it('are not removed where the server refuses it, and the question says why', async () => {
    const { page, sure } = await askToRemove({ 'DELETE /api/v1/users/u_2': () => [409, refusal(40901, 'STATE_CONFLICT')] })

    await sure()

    expect((await page.findByText('refused: STATE_CONFLICT')).closest('dialog')).not.toBeNull()
  })

  it('keep their last admin, and the question says why', async () => {
    users([ANNA, aUser({ role: 'admin' })], {
      'PATCH /api/v1/users/u_2': () => [409, refusal(40901, 'STATE_CONFLICT')],
    })
    const page = await show(UsersPage)
    await fireEvent.click((await rowOf(page, 'bo')).getByText('设为成员'))

    await fireEvent.click(within(page.getByText('把 bo 设为成员？').closest('dialog')!).getByText('设为成员'))

    expect((await page.findByText('refused: STATE_CONFLICT')).closest('dialog')).not.toBeNull()
  })

  it('are added with a password that is made here and shown once', async () => {
    const asked = users([ANNA, aUser()], { 'POST /api/v1/users': () => [200, envelope(aUser({ name: 'cy' }))] })
    const page = await show(UsersPage)
    await fireEvent.click(await openForm(page))

    const shown = (await page.findByText(/只显示这一次/)).parentElement!.querySelector('[data-secret]')!.textContent!

    expect(asked.find((one) => one.method === 'POST')?.body).toEqual({ name: 'cy', role: 'member', password: shown })
    await fireEvent.click(page.getByText('关闭'))
    await waitFor(() => expect(document.body.innerHTML).not.toContain(shown))
  })

  it('learn at the field that a name is taken', async () => {
    users([ANNA, aUser()], { 'POST /api/v1/users': () => [409, refusal(40905, 'NAME_TAKEN')] })
    const page = await show(UsersPage)

    await fireEvent.click(await openForm(page))

    await page.findByText('refused: NAME_TAKEN')
    expect(page.getByLabelText('用户名').getAttribute('aria-invalid')).toBe('true')
  })

  it('learn at the field what is wrong with a password that was typed', async () => {
    const fields = [{ path: 'password', code: 'BAD_FORMAT', message: '密码太短' }]
    users([ANNA, aUser()], { 'POST /api/v1/users': () => [422, refusal(42201, 'VALIDATION_FAILED', fields)] })
    const page = await show(UsersPage)
    const save = await openForm(page)
    await fireEvent.click(page.getByLabelText('自己填写'))
    await fireEvent.update(page.getByLabelText('新密码'), 'short')

    await fireEvent.click(save)

    await page.findByText('密码太短')
    expect(page.getByLabelText('新密码').getAttribute('aria-invalid')).toBe('true')
  })

  it('begin with an admin whose password is typed: nobody would see one that was made', async () => {
    const asked = users([], { 'POST /api/v1/users': () => [200, envelope(ANNA)] })
    const page = await show(UsersPage)
    await page.findByText(/还没有用户/)
    await fireEvent.click(page.getByText('＋ 添加用户'))
    await fireEvent.update(page.getByLabelText('用户名'), '安娜')
    await fireEvent.update(page.getByLabelText('新密码'), 'a-long-enough-one')

    await fireEvent.click(page.getByRole('button', { name: '添加用户', hidden: true }))

    const body = { name: '安娜', role: 'admin', password: 'a-long-enough-one' }
    await waitFor(() => expect(asked.find((one) => one.method === 'POST')?.body).toEqual(body))
  })
})

it('a member is told that people are for admins, and nothing is asked for', async () => {
  const asked = users([ANNA], { 'GET /api/v1/me': () => [200, envelope(aMember())] })

  const page = await show(UsersPage)

  await page.findByText('用户和操作记录只有管理员可以查看。')
  expect(page.queryByRole('button')).toBeNull()
  expect(asked.map((one) => one.path)).toEqual(['/api/v1/me'])
})

describe('the way to the people', () => {
  it.each([
    ['an admin who signed in', ME, true],
    ['a member', aMember(), false],
    ['the one person of an open server', nobody(), false],
  ])('is there for %s: %j', async (_, me, expected) => {
    const asked = serve({ 'GET /api/v1/me': () => [200, envelope(me)] })

    const page = await show(AppShell)

    await expect.poll(() => asked.some((one) => one.path === '/api/v1/me')).toBe(true)
    await waitFor(() => expect(page.queryByText('用户') !== null).toBe(expected))
  })
})

describe('a password made here', () => {
  it('has 20 letters and is another one each time', () => {
    const made = new Set(Array.from({ length: 50 }, newPassword))

    expect(made.size).toBe(50)
    for (const one of made) expect(one).toMatch(/^[a-km-np-z2-9]{20}$/)
  })
})
