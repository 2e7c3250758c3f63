import { fireEvent, waitFor } from '@testing-library/vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import type { AuditEntry, User } from '@/api/users'
import { i18n, setLocale } from '@/i18n'
import UsersPage from '@/pages/UsersPage.vue'
import { anAdmin } from '../me'
import { envelope, serve } from '../server'
import { show } from '../show'

function entry(what: string, change: Partial<AuditEntry> = {}): AuditEntry {
  return { at: '2026-11-22T08:00:00.000Z', what, by: '安娜', subject: 'u_2', subject_name: null, detail: 'bo', ...change }
}

const BO = { user_id: 'u_2', name: 'bo', role: 'member', is_disabled: false } as User

function log(answer: (search: URLSearchParams) => { items: AuditEntry[]; next_cursor?: string | null }, path = '/users/audit') {
  const asked = serve({
    'GET /api/v1/me': () => [200, envelope(anAdmin())],
    'GET /api/v1/users': () => [200, envelope({ items: [BO], next_cursor: null })],
    'GET /api/v1/audit': ({ search }) => [200, envelope({ next_cursor: null, ...answer(search) })],
  })
  return show(UsersPage, { view: 'audit' }, path).then((page) => ({ page, asked }))
}

const rows = (container: Element) => [...container.querySelectorAll('[data-what]')].map((row) => row.lastElementChild!.textContent)

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})

describe('the audit log', () => {
  it('says in words who did what, in the order of the server', async () => {
    const { page } = await log(() => ({
      items: [
        entry('user.role_set', { detail: 'admin' }),
        entry('user.removed', { subject: 'u_9', detail: 'cy' }),
        entry('user.password_reset', { detail: '2 tokens removed' }),
        entry('task.purged', { by: 'retention', subject: 't_7', detail: '' }),
        entry('export', { subject: 't_7', detail: '露营_小红书_20261122_200条.xlsx' }),
      ],
    }))

    await page.findByText('把 bo 设为管理员')
    expect(rows(page.container)).toEqual([
      '把 bo 设为管理员',
      '删除了用户 cy',
      '重置了 bo 的密码',
      '删除了任务 t_7 和它的结果',
      '导出了 露营_小红书_20261122_200条.xlsx',
    ])
    expect(page.container.querySelector('[data-what="task.purged"] strong')!.textContent).toBe('保留期')
  })

  it('names a person who is gone, by the name written down with the entry', async () => {
    const { page } = await log(() => ({
      items: [
        entry('user.password_reset', { subject: 'u_9', subject_name: 'cy', detail: '2 tokens removed' }),
        entry('user.role_set', { subject: 'u_9', subject_name: 'cy', detail: 'admin' }),
      ],
    }))

    await page.findByText('重置了 cy 的密码')
    expect(rows(page.container)).toEqual(['重置了 cy 的密码', '把 cy 设为管理员'])
  })

  it.each(['user.removed', 'user.created'])('names a person of older entries by their %s', async (what) => {
    const { page } = await log(() => ({
      items: [
        entry('user.role_set', { subject: 'u_9', detail: 'admin' }),
        entry(what, { subject: 'u_8', detail: 'dan' }),
        entry(what, { subject: 'u_9', detail: 'cy' }),
        entry('user.password_reset', { subject: 'u_9', detail: '2 tokens removed' }),
      ],
    }))

    await page.findByText('把 cy 设为管理员')
    expect(rows(page.container).at(-1)).toBe('重置了 cy 的密码')
  })

  it('shows the id of a person whose name is nowhere', async () => {
    const { page } = await log(() => ({ items: [entry('user.role_set', { subject: 'u_9', detail: 'admin' })] }))

    await page.findByText('把 u_9 设为管理员')
  })

  it('speaks English', async () => {
    const { page } = await log(() => ({ items: [entry('user.disabled')] }))
    await setLocale('en')

    await page.findByText('shut bo out')

    i18n.global.locale.value = 'zh-CN'
  })

  it('shows what it has no words for as it is', async () => {
    const { page } = await log(() => ({ items: [entry('schedule.paused', { subject: 's_1', detail: '' })] }))

    await page.findByText('schedule.paused s_1')
  })

  it('is asked for by person, and the address remembers whom', async () => {
    const { page, asked } = await log((search) => ({ items: search.get('by') === 'bo' ? [entry('export', { by: 'bo' })] : [entry('user.enabled')] }))
    await page.findByText('恢复了用户 bo')

    await fireEvent.update(page.getByLabelText('操作人'), 'bo')

    await page.findByText('导出了 bo')
    expect(page.router.currentRoute.value.query).toEqual({ by: 'bo' })
    expect(asked.at(-1)!.search.get('by')).toBe('bo')
  })

  it('goes on where the page before ended', async () => {
    const { page } = await log((search) =>
      search.get('cursor') === 'c1' ? { items: [entry('user.created')] } : { items: [entry('user.enabled')], next_cursor: 'c1' },
    )
    await page.findByText('恢复了用户 bo')

    await fireEvent.click(page.getByText('加载更多'))

    await waitFor(() => expect(rows(page.container)).toEqual(['恢复了用户 bo', '添加了用户 bo']))
    expect(page.queryByText('加载更多')).toBeNull()
  })

  it.each([
    ['/users/audit', /还没有记录/],
    ['/users/audit?by=cy', '没有 cy 的记录。'],
  ])('that is empty says so: %s', async (path, said) => {
    const { page } = await log(() => ({ items: [] }), path)

    await page.findByText(said)
  })
})
