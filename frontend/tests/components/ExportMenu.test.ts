import { fireEvent, waitFor } from '@testing-library/vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import { toasts } from '@/app/toasts'
import ExportMenu from '@/components/ExportMenu.vue'
import { setLocale } from '@/i18n'
import { serve } from '../server'
import { show } from '../show'

const HEAD = 'HEAD /api/v1/tasks/t_1/export'

/** What the browser was told to save. */
let saved: URL[] = []

beforeEach(async () => {
  saved = []
  toasts.value = []
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    saved.push(new URL(this.href))
  })
  await setLocale('zh-CN')
})

describe('export menu', () => {
  it('offers the four formats, Excel first', async () => {
    const page = await show(ExportMenu, { taskId: 't_1' })

    const names = page.getAllByRole('button', { hidden: true }).map((button) => button.querySelector('strong')?.textContent)

    expect(names).toEqual(['Excel (.xlsx)', 'CSV', 'JSON', 'JSON Lines'])
  })

  it('saves the file in the language and on the clock of the reader', async () => {
    const asked = serve({ [HEAD]: () => [200, null] })
    const page = await show(ExportMenu, { taskId: 't_1' })

    await fireEvent.click(page.getByText('Excel (.xlsx)'))

    await waitFor(() => expect(saved).toHaveLength(1))
    const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone
    expect(Object.fromEntries(saved[0]!.searchParams)).toEqual({ format: 'xlsx', lang: 'zh', tz: zone })
    expect(asked.map((one) => one.method)).toEqual(['HEAD'])
    expect(toasts.value[0]?.tone).toBe('success')
  })

  it('speaks English to who reads English', async () => {
    serve({ [HEAD]: () => [200, null] })
    await setLocale('en')
    const page = await show(ExportMenu, { taskId: 't_1' })

    await fireEvent.click(page.getByText('CSV'))

    await waitFor(() => expect(saved[0]?.searchParams.get('lang')).toBe('en'))
  })

  it.each([
    [429, '同时进行的导出太多'],
    [404, '没有这个任务'],
    [503, '数据库暂时不可用'],
  ])('says why on %i instead of saving an error as a file', async (status, why) => {
    serve({ [HEAD]: () => [status, null] })
    const page = await show(ExportMenu, { taskId: 't_1' })

    await fireEvent.click(page.getByText('JSON'))

    await waitFor(() => expect(toasts.value[0]?.text).toContain(why))
    expect(saved).toEqual([])
  })

  it('says so when the server does not answer', async () => {
    serve({})
    const page = await show(ExportMenu, { taskId: 't_1' })

    await fireEvent.click(page.getByText('CSV'))

    await waitFor(() => expect(toasts.value[0]?.text).toContain('服务器没有应答'))
    expect(saved).toEqual([])
  })
})
