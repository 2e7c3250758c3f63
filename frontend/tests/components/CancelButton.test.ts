import { fireEvent, waitFor } from '@testing-library/vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'

import CancelButton from '@/components/CancelButton.vue'
import CancelNote from '@/components/CancelNote.vue'
import StatusChip from '@/components/StatusChip.vue'
import { useTask } from '@/tasks/queries'
import { envelope, refusal, serve } from '../server'
import { show } from '../show'
import { aTask, cancelledTask } from '../task'

/** The parts of a task's page that a cancel changes, over the same query as the page. */
const Cancelling = defineComponent(() => {
  const { data } = useTask('t_1')
  return () =>
    data.value && [
      h(StatusChip, { status: data.value.status, taskId: 't_1', isFinal: data.value.is_final }),
      h(CancelButton, { task: data.value }),
      h(CancelNote, { task: data.value }),
    ]
})

const GET = 'GET /api/v1/tasks/t_1'
const DELETE = 'DELETE /api/v1/tasks/t_1'

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})

describe('cancel', () => {
  it('shows at once that it was asked, before the server answers', async () => {
    serve({ [GET]: () => [200, envelope(aTask())], [DELETE]: () => new Promise(() => undefined) })
    const page = await show(Cancelling)
    const button = await page.findByRole('button', { name: /取消任务/ })

    await fireEvent.click(button)

    expect(page.container.querySelector('[data-status]')?.getAttribute('data-status')).toBe('cancelling')
    expect(page.getByRole('button', { name: /取消中/ })).toHaveProperty('disabled', true)
  })

  it('says cancelled, with the time and what was kept, only when the server does', async () => {
    let answer = aTask()
    serve({
      [GET]: () => [200, envelope(answer)],
      [DELETE]: () => [200, envelope((answer = aTask({ version: 5, status: 'cancelling' })))],
    })
    const page = await show(Cancelling)
    await fireEvent.click(await page.findByRole('button', { name: /取消任务/ }))
    await waitFor(() => expect(page.queryByText(/已取消/)).toBeNull())

    answer = cancelledTask()

    await page.findByText('已取消，用时 0.42 秒，已保存 382 条')
    expect(page.queryByRole('button')).toBeNull()
  })

  it('asks the server once, however often it is clicked', async () => {
    const asked = serve({ [GET]: () => [200, envelope(aTask())], [DELETE]: () => new Promise(() => undefined) })
    const page = await show(Cancelling)
    const button = await page.findByRole('button', { name: /取消任务/ })

    await Promise.all([fireEvent.click(button), fireEvent.click(button), fireEvent.click(button)])

    expect(asked.filter(({ method }) => method === 'DELETE')).toHaveLength(1)
  })

  it('that nobody heard goes back to what it was, with the error', async () => {
    serve({ [GET]: () => [200, envelope(aTask())] })
    const page = await show(Cancelling)
    await fireEvent.click(await page.findByRole('button', { name: /取消任务/ }))

    await page.findByText('NETWORK')

    expect(page.container.querySelector('[data-status]')?.getAttribute('data-status')).toBe('running')
  })

  it('that the server refuses says why', async () => {
    serve({ [GET]: () => [200, envelope(aTask())], [DELETE]: () => [403, refusal(40_303, 'FORBIDDEN')] })
    const page = await show(Cancelling)
    await fireEvent.click(await page.findByRole('button', { name: /取消任务/ }))

    await page.findByText('没有权限')
    expect(page.getByText('请求编号 r_1')).toBeTruthy()
  })

  it('of a task that had ended says so calmly', async () => {
    const ended = aTask({ version: 7, status: 'succeeded', is_final: true })
    serve({ [GET]: () => [200, envelope(aTask())], [DELETE]: () => [200, envelope(ended)] })
    const page = await show(Cancelling)
    await fireEvent.click(await page.findByRole('button', { name: /取消任务/ }))

    await page.findByText('任务在取消之前已经结束：成功')
  })

  it('of a job that may still be billed says so', async () => {
    const upstream = { job_id: '8e', status: 'running', submits: 1, cancel: 'unsupported' as const, may_bill: true }
    serve({ [GET]: () => [200, envelope(cancelledTask({ upstream }))] })

    const page = await show(Cancelling)

    await page.findByText('已停止等待；服务商可能仍会计费')
  })
})
